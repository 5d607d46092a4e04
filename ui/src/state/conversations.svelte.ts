// The list of conversations, newest first, and the search over them.

import { type Api, ApiError } from "../api.ts";
import type { Conversation, Hit } from "../events.ts";
import { say } from "../i18n/say.ts";

const PAGE = 50;
const PATIENCE = 150;

export interface Section {
  readonly name: string;
  readonly conversations: readonly Conversation[];
}

export class Conversations {
  all = $state.raw<readonly Conversation[]>([]);
  /** Where the older ones begin; null when all are here. */
  next = $state<string | null>(null);
  loaded = $state(false);
  words = $state("");
  hits = $state.raw<readonly Hit[] | null>(null);
  readonly sections = $derived(byTime(this.all, new Date()));

  readonly #api: Api;
  #searching: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api) {
    this.#api = api;
  }

  /** The newest ones anew; older ones that were fetched stay. */
  async refresh(): Promise<void> {
    try {
      const page = await this.#api.conversations(PAGE);
      const oldest = page.conversations.at(-1)?.updated ?? 0;
      const head = [...page.pinned, ...page.conversations];
      const fresh = new Set(head.map((conversation) => conversation.id));
      const older = (kept: Conversation) => kept.updated < oldest && !kept.pinned && !fresh.has(kept.id);
      const rest = page.next !== null ? this.all.filter(older) : [];
      this.all = [...head, ...rest];
      if (rest.length === 0) this.next = page.next;
      this.loaded = true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  async older(): Promise<void> {
    const page = await this.#api.conversations(PAGE, this.next);
    const known = new Set(this.all.map((conversation) => conversation.id));
    this.all = [...this.all, ...page.conversations.filter(({ id }) => !known.has(id))];
    this.next = page.next;
  }

  async rename(id: string, title: string): Promise<void> {
    const changed = await this.#api.change(id, { title });
    this.all = this.all.map((conversation) => (conversation.id === id ? changed : conversation));
  }

  async remove(id: string): Promise<void> {
    await this.#api.remove(id);
    this.all = this.all.filter((conversation) => conversation.id !== id);
    this.hits = this.hits?.filter((hit) => hit.conversation !== id) ?? null;
  }

  /** Look for these words once the typing pauses; no words show the list again. */
  search(words: string): void {
    this.words = words;
    clearTimeout(this.#timer);
    this.#searching?.abort();
    if (words.trim() === "") this.hits = null;
    else this.#timer = setTimeout(() => void this.#search(words.trim()), PATIENCE);
  }

  async #search(words: string): Promise<void> {
    const searching = new AbortController();
    this.#searching = searching;
    try {
      const hits = await this.#api.search(words, searching.signal);
      if (!searching.signal.aborted) this.hits = hits;
    } catch (error) {
      if (!searching.signal.aborted && !(error instanceof ApiError)) throw error;
    }
  }
}

function byTime(all: readonly Conversation[], now: Date): Section[] {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const day = 86_400_000;
  const bounds: [string, number][] = [
    [say("today"), midnight],
    [say("yesterday"), midnight - day],
    [say("week"), midnight - 6 * day],
    [say("earlier"), Number.NEGATIVE_INFINITY],
  ];
  const sections = bounds.map(([name, from], i) => {
    const until = bounds[i - 1]?.[1] ?? Number.POSITIVE_INFINITY;
    return { name, conversations: all.filter(({ updated }) => updated >= from && updated < until) };
  });
  return sections.filter((section) => section.conversations.length > 0);
}
