// The libraries: named collections of files, any of which a message can have searched.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { Library } from "../api/libraries.ts";

/** Between two looks while files are being read. */
const POLL_INTERVAL_MS = 700;

export class Libraries {
  all = $state.raw<readonly Library[]>([]);
  /** Whether they have been asked for with success. */
  known = $state(false);
  /** Counts what may have changed in any of them. */
  news = $state(0);
  readonly #api: Api;
  #looking = false;
  #again = false;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Something has happened to files or libraries, by whose doing it may be. */
  async refresh(): Promise<void> {
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = true;
    do {
      this.#again = false;
      await this.#look();
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    } while (this.#again);
    this.#looking = false;
  }

  /** Throws what keeps it from that, as the others do. */
  async add(name: string): Promise<Library> {
    const added = await this.#api.libraries.add(name);
    await this.#look();
    return added;
  }

  async rename(id: string, name: string): Promise<void> {
    await this.#api.libraries.rename(id, name);
    await this.#look();
  }

  /** Erases it with its files. */
  async remove(id: string): Promise<void> {
    await this.#api.libraries.remove(id);
    await this.#look();
  }

  async #look(): Promise<void> {
    try {
      this.all = await this.#api.libraries.list();
      this.known = true;
      this.news += 1;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the connection is lost, which the page says elsewhere
    }
  }
}
