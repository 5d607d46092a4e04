// The API key: stored for this tab, and asked of the person when the server requires one.

import { readStored, writeStored } from "../lib/storage.ts";

const STORED_KEY = "eclair.key";

/** The dialog that asks for the key; `wrong` when the last one was not accepted. */
export interface KeyQuestion {
  readonly wrong: boolean;
  answer(key: string | null): void;
}

/** The key that was entered in this tab. */
export function storedApiKey(): string | null {
  return readStored(STORED_KEY, "sessionStorage");
}

export class ApiKeyPrompt {
  /** Shown to the person; null while nothing is asked. */
  question = $state.raw<KeyQuestion | null>(null);
  #answer: Promise<string | null> | null = null;
  readonly #onEntered: () => void;

  constructor(onEntered: () => void) {
    this.#onEntered = onEntered;
  }

  get stored(): string | null {
    return storedApiKey();
  }

  /** Ask for the key, once for all calls that wait for it; null when the person gives none. */
  ask(wrong: boolean): Promise<string | null> {
    this.#answer ??= new Promise<string | null>((resolve) => {
      const answer = (key: string | null) => {
        this.question = null;
        this.#answer = null;
        if (key !== null) writeStored(STORED_KEY, key, "sessionStorage");
        resolve(key);
        if (key !== null) this.#onEntered();
      };
      this.question = { wrong, answer };
    });
    return this.#answer;
  }
}
