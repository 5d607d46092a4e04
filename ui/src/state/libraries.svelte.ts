// Libraries: named collections of files that a message can search.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { Library } from "../api/libraries.ts";

const POLL_INTERVAL_MS = 700;

export class Libraries {
  all = $state.raw<readonly Library[]>([]);
  /** The list was read at least once. */
  known = $state(false);
  /** Counts the readings of the list, any of which may bring changes. */
  readings = $state(0);
  readonly #api: Api;
  #polling = false;
  #pollAgain = false;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Files or libraries may have changed. */
  async refresh(): Promise<void> {
    if (this.#polling) {
      this.#pollAgain = true;
      return;
    }
    this.#polling = true;
    do {
      this.#pollAgain = false;
      await this.#read();
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    } while (this.#pollAgain);
    this.#polling = false;
  }

  /** Add a library; throws the server's objection, as do the methods below. */
  async add(name: string): Promise<Library> {
    const added = await this.#api.libraries.add(name);
    await this.#read();
    return added;
  }

  async rename(id: string, name: string): Promise<void> {
    await this.#api.libraries.rename(id, name);
    await this.#read();
  }

  /** Delete a library with its files. */
  async remove(id: string): Promise<void> {
    await this.#api.libraries.remove(id);
    await this.#read();
  }

  async #read(): Promise<void> {
    try {
      this.all = await this.#api.libraries.list();
      this.known = true;
      this.readings += 1;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the connection is lost, which the page shows elsewhere
    }
  }
}
