// A list that the server searches by words and gives page by page.

import { untrack } from "svelte";
import { type ErrorReport, toReport } from "../lib/errors.ts";

const SEARCH_DELAY_MS = 200;

interface ListPage {
  /** The id after which the next page begins; null on the last one. */
  readonly next: string | null;
}

export class PagedSearch<Page extends ListPage, Item> {
  query = $state("");
  page = $state.raw<Page | null>(null);
  items = $state.raw<readonly Item[]>([]);
  problem = $state<string | ErrorReport>("");
  readonly #fetch: (words: string, after: string | null) => Promise<Page>;
  readonly #itemsOf: (page: Page) => readonly Item[];

  constructor(fetch: (words: string, after: string | null) => Promise<Page>, itemsOf: (page: Page) => readonly Item[]) {
    this.#fetch = fetch;
    this.#itemsOf = itemsOf;
  }

  get words(): string {
    return this.query.trim();
  }

  /** Read the first page for the query, a moment after it was typed; an effect's work, with its end. */
  follow(): () => void {
    const words = this.words;
    let current = true;
    const delay = untrack(() => this.page) === null ? 0 : SEARCH_DELAY_MS;
    const timer = setTimeout(() => void this.#read(words, () => current), delay);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }

  /** Read the next page and append it. */
  async readMore(): Promise<void> {
    try {
      const found = await this.#fetch(this.words, this.page?.next ?? null);
      [this.page, this.items, this.problem] = [found, [...this.items, ...this.#itemsOf(found)], ""];
    } catch (error) {
      this.problem = toReport(error);
    }
  }

  async #read(words: string, isCurrent: () => boolean) {
    try {
      const found = await this.#fetch(words, null);
      if (isCurrent()) [this.page, this.items, this.problem] = [found, this.#itemsOf(found), ""];
    } catch (error) {
      if (isCurrent()) this.problem = toReport(error);
    }
  }
}
