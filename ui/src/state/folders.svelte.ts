// Folders of conversations: their names, which of them are open, and what is in those.

import { SvelteSet } from "svelte/reactivity";
import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { Conversation } from "../api/events.ts";
import type { Folder } from "../api/folders.ts";
import { readStoredJson, writeStored } from "../lib/storage.ts";

const STORED_OPEN = "eclair.folders";
const PAGE_SIZE = 200;

export class Folders {
  all = $state.raw<readonly Folder[]>([]);
  /** The conversations of the open folders, latest change first. */
  contents = $state.raw<ReadonlyMap<string, readonly Conversation[]>>(new Map());
  readonly open = new SvelteSet<string>(readStoredJson<string[]>(STORED_OPEN) ?? []);
  readonly #api: Api;
  /** Counts the readings, so that an older one doesn't replace a newer one. */
  #readings = 0;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Read the folders, and the conversations of those that are open. */
  async refresh(): Promise<void> {
    this.#readings += 1;
    const reading = this.#readings;
    try {
      const all = await this.#api.folders.list();
      const shown = all.filter(({ id }) => this.open.has(id));
      const contents = new Map(await Promise.all(shown.map(async ({ id }) => [id, await this.conversationsIn(id)] as const)));
      if (reading !== this.#readings) return;
      this.all = all;
      this.contents = contents;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  async conversationsIn(folder: string): Promise<readonly Conversation[]> {
    const found: Conversation[] = [];
    let before: string | undefined;
    do {
      const page = await this.#api.conversations.list({ archived: false, tag: null, folder, limit: PAGE_SIZE, ...(before !== undefined && { before }) });
      found.push(...page.conversations);
      before = page.next ?? undefined;
    } while (before !== undefined);
    return found;
  }

  async toggle(id: string): Promise<void> {
    if (!this.open.delete(id)) this.open.add(id);
    writeStored(STORED_OPEN, JSON.stringify([...this.open]));
    await this.refresh();
  }

  async add(name: string): Promise<Folder> {
    const folder = await this.#api.folders.add(name);
    this.open.add(folder.id);
    writeStored(STORED_OPEN, JSON.stringify([...this.open]));
    await this.refresh();
    return folder;
  }

  async rename(id: string, name: string): Promise<void> {
    await this.#api.folders.rename(id, name);
    await this.refresh();
  }

  async remove(id: string): Promise<void> {
    await this.#api.folders.remove(id);
    await this.refresh();
  }

  find(id: string): Conversation | undefined {
    for (const conversations of this.contents.values()) {
      const found = conversations.find((conversation) => conversation.id === id);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
