// The people who have the same shown conversation open. The stream of changes says which one is open here.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { PresentPeople } from "../api/projects.ts";
import { throttled } from "../lib/throttled.ts";

const READ_INTERVAL_MS = 1000;
const NOBODY: PresentPeople = { people: [], more: 0 };

export class Presence {
  others = $state.raw(NOBODY);
  /** The shown conversation that is open. */
  conversation: string | null = null;
  readonly #api: Api;
  readonly #connect: () => void;
  /** The one that the stream names. */
  #named: string | null = null;
  readonly #refresh = throttled(() => void this.#read(), READ_INTERVAL_MS);

  constructor(api: Api, connect: () => void) {
    this.#api = api;
    this.#connect = connect;
  }

  /** Have a shown conversation open until the function that is returned is called. */
  enter(conversation: string): () => void {
    this.#open(conversation);
    return () => {
      if (this.conversation === conversation) this.#open(null);
    };
  }

  /** Read who else is here. */
  refresh(): void {
    if (this.conversation !== null) this.#refresh();
  }

  #open(conversation: string | null): void {
    this.conversation = conversation;
    this.others = NOBODY;
    queueMicrotask(() => {
      if (this.#named === this.conversation) return;
      this.#named = this.conversation;
      this.#connect();
    });
  }

  async #read(): Promise<void> {
    const { conversation } = this;
    if (conversation === null) return;
    try {
      const others = await this.#api.projects.present(conversation);
      if (conversation === this.conversation) this.others = others;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (conversation === this.conversation) this.others = NOBODY;
    }
  }
}
