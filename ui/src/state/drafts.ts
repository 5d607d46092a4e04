// Text that is typed and not yet accepted, kept across reloads. A full or forbidden storage costs the keeping only.

const PREFIX = "eclair.draft.";

export interface Draft {
  readonly text: string;
  /** The id that this text was last sent under, and where; the same text there is the same message. */
  readonly sent?: {
    readonly id: string;
    readonly text: string;
    readonly parent: string | null;
    readonly conversation: string;
  };
}

export function readDraft(conversation: string): Draft {
  const kept = read(PREFIX + conversation);
  if (kept === null) return { text: "" };
  try {
    return JSON.parse(kept) as Draft;
  } catch {
    return { text: "" };
  }
}

export function keepDraft(conversation: string, draft: Draft): void {
  if (draft.text === "" && draft.sent === undefined) write(PREFIX + conversation, null);
  else write(PREFIX + conversation, JSON.stringify(draft));
}

export function read(name: string, storage: "localStorage" | "sessionStorage" = "localStorage"): string | null {
  try {
    return globalThis[storage].getItem(name);
  } catch {
    return null;
  }
}

export function write(name: string, value: string | null, storage: "localStorage" | "sessionStorage" = "localStorage"): void {
  try {
    if (value === null) globalThis[storage].removeItem(name);
    else globalThis[storage].setItem(name, value);
  } catch {
    // Nothing is lost but the memory of it.
  }
}
