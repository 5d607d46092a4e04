// The API key: asked of the person when the server requires one, and exchanged for a session of this browser. Where
// that fails, this tab keeps it.

import { SESSION } from "../api/client.ts";
import { readStored, writeStored } from "../lib/storage.ts";

const STORED_KEY = "eclair.key";
/** Marks that this browser has a session; its cookie can't be read. */
const STORED_SESSION = "eclair.session";

/** The dialog that asks for the key; `wrong` when the last one was not accepted. */
export interface KeyQuestion {
  readonly wrong: boolean;
  answer(key: string | null): Promise<void>;
}

/** The key that was entered in this tab, or the session of this browser. */
export function storedApiKey(): string | null {
  return readStored(STORED_KEY, "sessionStorage") ?? (readStored(STORED_SESSION) === null ? null : SESSION);
}

export class ApiKeyPrompt {
  /** Shown to the person; null while nothing is asked. */
  question = $state.raw<KeyQuestion | null>(null);
  #answer: Promise<string | null> | null = null;
  readonly #beginSession: (key: string) => Promise<"begun" | "wrong" | "failed">;
  readonly #onEntered: () => void;

  constructor(beginSession: (key: string) => Promise<"begun" | "wrong" | "failed">, onEntered: () => void) {
    this.#beginSession = beginSession;
    this.#onEntered = onEntered;
  }

  get stored(): string | null {
    return storedApiKey();
  }

  /** Forget the session and the key. */
  forget(): void {
    writeStored(STORED_SESSION, null);
    writeStored(STORED_KEY, null, "sessionStorage");
  }

  /** Ask for the key, once for all calls that wait for it; null when the person gives none. */
  ask(wrong: boolean): Promise<string | null> {
    this.#answer ??= new Promise<string | null>((resolve) => {
      const answer = async (key: string | null) => {
        const outcome = key === null ? null : await this.#beginSession(key).catch(() => "failed" as const);
        if (outcome === "wrong") {
          this.question = { wrong: true, answer };
          return;
        }
        this.question = null;
        this.#answer = null;
        this.forget();
        if (outcome === "begun") writeStored(STORED_SESSION, "begun");
        if (outcome === "failed") writeStored(STORED_KEY, key, "sessionStorage");
        resolve(outcome === "begun" ? SESSION : key);
        if (key !== null) this.#onEntered();
      };
      this.question = { wrong, answer };
    });
    return this.#answer;
  }
}
