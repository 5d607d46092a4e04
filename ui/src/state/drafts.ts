// What is written and not yet accepted, kept across reloads. What the browser's storage does not take is kept
// in this page's memory.

import type { Attachment, LibraryName } from "../api/events.ts";
import { newId } from "../lib/ids.ts";
import type { Drawing } from "../lib/images.ts";
import { alone, living, tab } from "../lib/tabs.ts";

const DRAFT = "eclair.draft.";
/** What is typed before its conversation is kept lies under this name. */
export const NEW = "new";

export interface Draft {
  readonly text: string;
  /** What was sent up for it, and the libraries that are to be searched. */
  readonly files: readonly Attachment[];
  readonly libraries: readonly LibraryName[];
  /** The model that was chosen for this message alone. */
  readonly model?: string;
  /** How pictures are wanted, where it asks for some. */
  readonly draw?: Drawing;
  /** The conversation that a new chat is going to be, so that it keeps its name across a reload. */
  readonly conversation?: string;
  /** The id that this was last sent under, and where; the same words there are the same message. */
  readonly sent?: Sent;
}

export interface Sent {
  readonly id: string;
  readonly text: string;
  readonly files: readonly string[];
  /** The drawing that it asked for, as JSON. */
  readonly draw?: string;
  readonly parent: string | null;
}

const NONE: Draft = { text: "", files: [], libraries: [] };
const memory = new Map<string, string>();
const fleeting = new Set<string>();

/** From now on nothing of this conversation goes into the browser's storage. */
export function keepInMemory(conversation: string): void {
  fleeting.add(conversation);
}

/** This tab's draft in a conversation, or in a new chat. */
export function readDraft(conversation: string): Draft {
  return readAt(`${conversation}@${tab()}`);
}

export function keepDraft(conversation: string, draft: Draft): void {
  keepAt(`${conversation}@${tab()}`, draft);
}

/** Give `take` the drafts that tabs which are closed by now have left here; what it took is then ours alone. */
export async function inherit(conversation: string, take: (draft: Draft) => void): Promise<void> {
  await alone(`eclair.drafts.${conversation}`, async () => {
    const open = await living();
    const prefix = `${DRAFT}${conversation}@`;
    for (const key of keys(prefix)) {
      const owner = key.slice(prefix.length);
      if (owner === tab() || open.has(owner)) continue;
      const place = `${conversation}@${owner}`;
      take(readAt(place));
      if (isKept(conversation)) keepAt(place, NONE);
    }
  });
}

/** Whether this tab's draft there outlives the page. */
export function isKept(conversation: string): boolean {
  return outlives(`${DRAFT}${conversation}@${tab()}`);
}

/** Whether anything that was written would be lost with this page. */
export function atStake(): boolean {
  return [...memory.keys()].some((name) => /^eclair\.(draft|queue)\./.test(name));
}

/** The id of a new chat: that of the one which is being written, or one that is free. */
export function newConversation(): string {
  return readDraft(NEW).conversation ?? newId("conv");
}

export function read(name: string, storage: "localStorage" | "sessionStorage" = "localStorage"): string | null {
  const remembered = memory.get(name);
  if (remembered !== undefined) return remembered;
  try {
    return globalThis[storage].getItem(name);
  } catch {
    return null;
  }
}

/** Where the storage is full or forbidden, it is remembered until the page is closed. */
export function write(name: string, value: string | null, storage: "localStorage" | "sessionStorage" = "localStorage"): void {
  memory.delete(name);
  if ([...fleeting].some((id) => name.includes(id))) {
    if (value !== null) memory.set(name, value);
    return;
  }
  try {
    if (value === null) globalThis[storage].removeItem(name);
    else globalThis[storage].setItem(name, value);
  } catch {
    if (value !== null) memory.set(name, value);
  }
}

/** Whether what has this name does not live in this page's memory alone. */
export function outlives(name: string): boolean {
  return !memory.has(name);
}

/** The names that begin with `prefix`, those in memory too. */
export function keys(prefix: string): string[] {
  let stored: string[] = [];
  try {
    stored = Object.keys(localStorage);
  } catch {
    // A storage that is forbidden holds nothing.
  }
  return [...new Set([...stored, ...memory.keys()])].filter((name) => name.startsWith(prefix));
}

/** What lies there as JSON; what is no JSON is as good as nothing. */
export function readJson<T>(name: string): T | null {
  const kept = read(name);
  try {
    return kept === null ? null : (JSON.parse(kept) as T);
  } catch {
    return null;
  }
}

function readAt(place: string): Draft {
  return { ...NONE, ...readJson<Draft>(DRAFT + place) };
}

function keepAt(place: string, draft: Draft): void {
  const { text, files, libraries, ...more } = draft;
  const empty = text === "" && files.length === 0 && libraries.length === 0 && Object.keys(more).length === 0;
  write(DRAFT + place, empty ? null : JSON.stringify(draft));
}
