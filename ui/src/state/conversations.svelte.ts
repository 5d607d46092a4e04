// The list of conversations: pinned ones, then the others by time; its filter, and the search.

import { SvelteSet } from "svelte/reactivity";
import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { ConversationChanges, Deleted, Found, TagCount } from "../api/conversations.ts";
import { locale, t } from "../lib/i18n/translate.ts";
import type { Change, Conversation } from "../api/events.ts";
import type { Project } from "../api/projects.ts";
import { Projects } from "./projects.svelte.ts";

const PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 200;
/** At most this many are read again when everything may have changed; older ones are read again while scrolling down. */
const MAX_REREAD = 1000;
const SEARCH_DELAY_MS = 150;
const CHANGE_BATCH_DELAY_MS = 50;
const HITS_PER_PAGE = 20;
const MAX_HITS = 100;

export interface Section {
  /** Unlike any other section's. */
  readonly key: string;
  readonly name: string;
  readonly conversations: readonly Conversation[];
  /** False where more conversations belong to it. */
  readonly complete: boolean;
  readonly project?: Project;
}

/** The list's filter: archived or not, and a tag. */
export interface Filter {
  readonly archived: boolean;
  readonly tag: string | null;
}

export class Conversations {
  pinned = $state.raw<readonly Conversation[]>([]);
  all = $state.raw<readonly Conversation[]>([]);
  /** Where older conversations begin; null when there are none. */
  next = $state<string | null>(null);
  loaded = $state(false);
  /** Older conversations could not be loaded. */
  failed = $state(false);
  filter = $state.raw<Filter>({ archived: false, tag: null });
  tags = $state.raw<readonly TagCount[]>([]);
  words = $state("");
  /** The results of the search; null without one. */
  found = $state.raw<Found | null>(null);
  moreHits = $state(false);
  /** Conversations with an answer in progress. */
  readonly running = new SvelteSet<string>();
  /** The conversation whose title is being edited. */
  renaming = $state<string | null>(null);
  /** Conversations are being selected, to do something with all of them. */
  selecting = $state(false);
  readonly selected = new SvelteSet<string>();
  readonly projects: Projects;
  readonly sections = $derived.by(() => {
    if (this.filter.archived || this.filter.tag !== null) return bySection(this.pinned, this.all, this.next === null, new Date());
    const { all, contents } = this.projects;
    const ids = new Set(all.map(({ id }) => id));
    const unfiled = this.all.filter(({ project_id }) => project_id === null || !ids.has(project_id));
    const projects = all.map((project) => ({ key: project.id, name: project.name, conversations: this.#unpinned(contents.get(project.id)), complete: true, project }));
    const sections = bySection(this.pinned, unfiled, this.next === null, new Date());
    return this.pinned.length === 0 ? [...projects, ...sections] : [...sections.slice(0, 1), ...projects, ...sections.slice(1)];
  });

  readonly #api: Api;
  /** Counts this page's changes, so that an older reply of the server doesn't undo them. */
  #changes = 0;
  #tagsAsked = 0;
  #fetching = false;
  #pendingChanges = new Map<string | null, Change["kind"]>();
  #batchTimer: ReturnType<typeof setTimeout> | undefined;
  #searching: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  readonly #onRead: () => void;

  /** `onRead` is called whenever the list has been read. */
  constructor(api: Api, onRead: () => void) {
    this.#api = api;
    this.projects = new Projects(api);
    this.#onRead = onRead;
  }

  known(id: string): Conversation | undefined {
    const same = (conversation: Conversation) => conversation.id === id;
    return this.pinned.find(same) ?? this.all.find(same) ?? this.projects.find(id);
  }

  /** Begin to select conversations, with this one. */
  select(id: string): void {
    this.selecting = true;
    this.selected.add(id);
  }

  endSelecting(): void {
    this.selecting = false;
    this.selected.clear();
  }

  /** Read the newest conversations again. Older ones already loaded stay, unless `everything` is to be read again. */
  async refresh(everything = false): Promise<void> {
    const { filter } = this;
    const changes = this.#changes;
    const wanted = everything ? Math.min(this.all.length, MAX_REREAD) : 0;
    try {
      const limit = Math.min(Math.max(wanted, PAGE_SIZE), MAX_PAGE_SIZE);
      const first = await this.#api.conversations.list({ ...filter, limit });
      const read = [...first.conversations];
      let { next } = first;
      while (next !== null && read.length < wanted) {
        const page = await this.#api.conversations.list({ ...filter, before: next, limit: MAX_PAGE_SIZE });
        read.push(...page.conversations);
        next = page.next;
      }
      if (filter !== this.filter || changes !== this.#changes) return;
      const rest = everything || next === null ? [] : this.#olderThan(read, first.pinned);
      this.pinned = first.pinned;
      this.all = [...read, ...rest];
      if (rest.length === 0) this.next = next;
      this.loaded = true;
      this.#onRead();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  async loadOlder(): Promise<void> {
    const { filter, next } = this;
    if (next === null || this.#fetching) return;
    this.#fetching = true;
    this.failed = false;
    try {
      const page = await this.#api.conversations.list({ ...filter, before: next, limit: MAX_PAGE_SIZE });
      if (filter !== this.filter) return;
      const known = new Set([...this.pinned, ...this.all].map(({ id }) => id));
      this.all = [...this.all, ...page.conversations.filter(({ id }) => !known.has(id))];
      this.next = page.next;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.failed = true;
    } finally {
      this.#fetching = false;
    }
  }

  async show(filter: Filter): Promise<void> {
    this.filter = filter;
    this.pinned = [];
    this.all = [];
    this.next = null;
    this.loaded = false;
    await this.refresh();
  }

  async change(id: string, changes: ConversationChanges): Promise<Conversation> {
    this.#changes += 1;
    const changed = await this.#api.conversations.change(id, changes);
    this.#changes += 1;
    this.#insert(changed);
    if (changes.tags !== undefined) void this.readTags();
    if (changes.project_id !== undefined || this.projects.find(id) !== undefined) await this.projects.refresh();
    return changed;
  }

  async remove(id: string): Promise<void> {
    this.#changes += 1;
    await this.#api.conversations.remove(id);
    this.#changes += 1;
    this.#removeFromList(id);
    void this.readTags();
  }

  async restore(id: string): Promise<void> {
    this.#changes += 1;
    this.#insert(await this.#api.conversations.restore(id));
    void this.readTags();
  }

  /** Delete all conversations, archived ones included; `forever` rules out restoring. */
  async removeAll(forever: boolean): Promise<Deleted> {
    this.#changes += 1;
    const deleted = await this.#api.conversations.removeAll(forever);
    this.#changes += 1;
    this.pinned = [];
    this.all = [];
    this.next = null;
    this.running.clear();
    this.search("");
    void this.readTags();
    return deleted;
  }

  /** Restore the conversations that were deleted together at this moment. */
  async restoreAll(moment: number): Promise<void> {
    await this.#api.conversations.restoreAll(moment);
    await this.refresh(true);
    void this.readTags();
  }

  async readTags(): Promise<void> {
    try {
      const asked = ++this.#tagsAsked;
      const { tags } = await this.#api.conversations.tags();
      if (asked !== this.#tagsAsked) return; // a later request has or will have newer ones
      this.tags = tags;
      const { tag } = this.filter;
      if (tag !== null && !this.tags.some((other) => other.tag === tag)) await this.show({ ...this.filter, tag: null });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /** Apply a change on the server, which may be this page's own. Changes in quick succession are handled together. */
  apply({ conversation, kind }: Change): void {
    this.#pendingChanges.set(conversation, kind);
    if (conversation === null) this.running.clear();
    else if (kind === "running") this.running.add(conversation);
    else if (kind !== "changed") this.running.delete(conversation);
    this.#batchTimer ??= setTimeout(() => void this.#handleChanges(), CHANGE_BATCH_DELAY_MS);
  }

  /** Search for these words once the typing pauses; no words show the list again. */
  search(words: string): void {
    this.words = words;
    clearTimeout(this.#timer);
    this.#searching?.abort();
    if (words.trim() === "") this.found = null;
    else this.#timer = setTimeout(() => void this.#search(words.trim(), HITS_PER_PAGE), SEARCH_DELAY_MS);
  }

  async searchMore(): Promise<void> {
    await this.#search(this.words.trim(), MAX_HITS);
  }

  async #search(words: string, limit: number): Promise<void> {
    const searching = new AbortController();
    this.#searching = searching;
    try {
      const found = await this.#api.conversations.search(words, limit, searching.signal);
      if (searching.signal.aborted) return;
      this.found = found;
      this.moreHits = found.hits.length === limit && limit < MAX_HITS;
    } catch (error) {
      if (!searching.signal.aborted && !(error instanceof ApiError)) throw error;
    }
  }

  async #handleChanges(): Promise<void> {
    const changes = this.#pendingChanges;
    this.#pendingChanges = new Map();
    this.#batchTimer = undefined;
    for (const [id, kind] of changes) if (id !== null && kind === "removed") this.#removeFromList(id);
    await this.refresh(changes.has(null));
    for (const [id, kind] of changes) if (id !== null && kind === "changed") await this.#reloadOne(id);
    await this.readTags();
  }

  /** Those that are not in the section of pinned ones. */
  #unpinned(conversations: readonly Conversation[] = []): readonly Conversation[] {
    return conversations.filter(({ pinned }) => !pinned);
  }

  /** Update a conversation far down the list, which reading the newest ones doesn't reach. */
  async #reloadOne(id: string): Promise<void> {
    const near = this.pinned.some((pinned) => pinned.id === id) || this.all.slice(0, PAGE_SIZE).some((near) => near.id === id);
    if (near || (this.known(id) === undefined && this.next !== null)) return;
    try {
      this.#insert((await this.#api.conversations.get(id)).conversation);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) this.#removeFromList(id);
    }
  }

  #olderThan(read: readonly Conversation[], pinned: readonly Conversation[]): Conversation[] {
    const oldest = read.at(-1)?.updated ?? 0;
    const fresh = new Set([...read, ...pinned].map(({ id }) => id));
    return this.all.filter((kept) => kept.updated <= oldest && !fresh.has(kept.id));
  }

  /** Insert a conversation at its position, if the filter matches it. */
  #insert(conversation: Conversation): void {
    this.#removeFromList(conversation.id, false);
    const { archived, tag } = this.filter;
    if (conversation.archived !== archived || (tag !== null && !conversation.tags.includes(tag))) return;
    if (conversation.pinned && !archived) this.pinned = insertByTime(this.pinned, conversation);
    else if (this.next === null || conversation.updated >= (this.all.at(-1)?.updated ?? 0)) {
      this.all = insertByTime(this.all, conversation);
    }
  }

  #removeFromList(id: string, deleted = true): void {
    const others = (conversation: Conversation) => conversation.id !== id;
    this.pinned = this.pinned.filter(others);
    this.all = this.all.filter(others);
    if (!deleted) return;
    this.selected.delete(id);
    this.running.delete(id);
    if (this.found === null) return;
    const elsewhere = (hit: { readonly conversation: string | null }) => hit.conversation !== id;
    this.found = { ...this.found, names: this.found.names.filter(elsewhere), hits: this.found.hits.filter(elsewhere) };
  }
}

function insertByTime(list: readonly Conversation[], one: Conversation): Conversation[] {
  const at = list.findIndex(({ updated }) => updated < one.updated);
  return at === -1 ? [...list, one] : list.toSpliced(at, 0, one);
}

/** Pinned, today, yesterday, the last seven days, and then month by month. */
function bySection(pinned: readonly Conversation[], all: readonly Conversation[], complete: boolean, now: Date): Section[] {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const day = 86_400_000;
  const month = new Intl.DateTimeFormat(locale(), { month: "long", year: "numeric" });
  const name = (updated: number) => {
    if (updated >= midnight) return t("today");
    if (updated >= midnight - day) return t("yesterday");
    return updated >= midnight - 6 * day ? t("week") : month.format(updated);
  };
  const sections: { key: string; name: string; conversations: Conversation[]; complete: boolean }[] = [];
  let from = Number.POSITIVE_INFINITY;
  for (const conversation of all) {
    const last = sections.at(-1);
    if (last !== undefined && conversation.updated >= from) last.conversations.push(conversation);
    else {
      from = sectionStart(conversation.updated, midnight);
      sections.push({ key: name(conversation.updated), name: name(conversation.updated), conversations: [conversation], complete: true });
    }
  }
  const last = sections.at(-1);
  if (last !== undefined) last.complete = complete;
  return pinned.length === 0 ? sections : [{ key: "pinned", name: t("pinned"), conversations: [...pinned], complete: true }, ...sections];
}

/** The first millisecond of the section that a time belongs to. */
function sectionStart(time: number, midnight: number): number {
  const day = 86_400_000;
  for (const bound of [midnight, midnight - day, midnight - 6 * day]) if (time >= bound) return bound;
  const date = new Date(time);
  return new Date(date.getFullYear(), date.getMonth(), 1).getTime();
}
