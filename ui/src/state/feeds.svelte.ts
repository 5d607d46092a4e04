// News feeds: the list, their states, and the progress of fetching them.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { AddedFeeds, Feed, SuggestedFeed } from "../api/feeds.ts";

const POLL_INTERVAL_MS = 400;

export class Feeds {
  all = $state.raw<readonly Feed[]>([]);
  starters = $state.raw<readonly SuggestedFeed[]>([]);
  /** The list was read at least once. */
  known = $state(false);
  /** The feeds of the fetch in progress; 0 while there is none. */
  of = $state(0);
  readonly pending = $derived(this.all.filter(({ state }) => state === "waiting" || state === "fetching").length);
  readonly #api: Api;
  #shown = 0;
  #looking = false;
  #again = false;

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
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = true;
    try {
      do {
        this.#again = false;
        await this.#look();
        await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
      } while (this.#again);
    } finally {
      this.#looking = false;
    }
  }

  /** Add a feed; throws the server's objection, as do the methods below. */
  async add(url: string): Promise<Feed> {
    const added = await this.#api.feeds.add(url);
    await this.#look();
    return added;
  }

  async addStarters(chosen: { readonly urls: readonly string[] } | { readonly language: string }): Promise<AddedFeeds> {
    const taken = await this.#api.feeds.addSuggested(chosen);
    await this.#look();
    return taken;
  }

  async importList(file: File): Promise<AddedFeeds> {
    const taken = await this.#api.feeds.import(file);
    await this.#look();
    return taken;
  }

  async activate(id: string, active: boolean): Promise<void> {
    await this.#api.feeds.activate(id, active);
    await this.#look();
  }

  async refresh(id: string | null): Promise<void> {
    await this.#api.feeds.refresh(id);
    await this.#look();
  }

  /** Delete a feed with its entries. */
  async remove(id: string): Promise<void> {
    await this.#api.feeds.remove(id);
    await this.#look();
  }

  async #look(): Promise<void> {
    try {
      [this.all, this.starters] = await Promise.all([this.#api.feeds.list(), this.#api.feeds.suggested()]);
      this.of = this.pending === 0 ? 0 : Math.max(this.of, this.pending);
      this.known = true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the connection is lost, which the page shows elsewhere
    }
  }
}
