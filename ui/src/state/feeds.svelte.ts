// News feeds: the list, their states, and the progress of fetching them.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { AddedFeeds, Feed, SuggestedFeed } from "../api/feeds.ts";

const POLL_INTERVAL_MS = 400;

export class Feeds {
  all = $state.raw<readonly Feed[]>([]);
  suggested = $state.raw<readonly SuggestedFeed[]>([]);
  /** The list was read at least once. */
  known = $state(false);
  /** The feeds of the fetch in progress; 0 while there is none. */
  total = $state(0);
  readonly pending = $derived(this.all.filter(({ state }) => state === "waiting" || state === "fetching").length);
  readonly #api: Api;
  #shown = 0;
  #polling = false;
  #pollAgain = false;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Poll while the list is shown; returns how to stop. */
  show(): () => void {
    this.#shown += 1;
    void this.poll();
    return () => (this.#shown -= 1);
  }

  /** The feeds may have changed: read them again, if they are shown. */
  async poll(): Promise<void> {
    if (this.#shown === 0) return;
    if (this.#polling) {
      this.#pollAgain = true;
      return;
    }
    this.#polling = true;
    try {
      do {
        this.#pollAgain = false;
        await this.#read();
        await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
      } while (this.#pollAgain);
    } finally {
      this.#polling = false;
    }
  }

  /** Add a feed; throws the server's objection, as do the methods below. */
  async add(url: string): Promise<Feed> {
    const added = await this.#api.feeds.add(url);
    await this.#read();
    return added;
  }

  async addSuggested(chosen: { readonly urls: readonly string[] } | { readonly language: string }): Promise<AddedFeeds> {
    const added = await this.#api.feeds.addSuggested(chosen);
    await this.#read();
    return added;
  }

  async importList(file: File): Promise<AddedFeeds> {
    const added = await this.#api.feeds.import(file);
    await this.#read();
    return added;
  }

  async activate(id: string, active: boolean): Promise<void> {
    await this.#api.feeds.activate(id, active);
    await this.#read();
  }

  async refresh(id: string | null): Promise<void> {
    await this.#api.feeds.refresh(id);
    await this.#read();
  }

  /** Delete a feed with its entries. */
  async remove(id: string): Promise<void> {
    await this.#api.feeds.remove(id);
    await this.#read();
  }

  async #read(): Promise<void> {
    try {
      [this.all, this.suggested] = await Promise.all([this.#api.feeds.list(), this.#api.feeds.suggested()]);
      this.total = this.pending === 0 ? 0 : Math.max(this.total, this.pending);
      this.known = true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the connection is lost, which the page shows elsewhere
    }
  }
}
