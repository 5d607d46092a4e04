// Projects: their names and settings, which of them are open in the list, and what is in those.

import { SvelteSet } from "svelte/reactivity";
import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { Conversation } from "../api/events.ts";
import type { Project, ProjectChanges, ShownConversation } from "../api/projects.ts";
import { readStoredJson, writeStored } from "../lib/storage.ts";

const STORED_OPEN = "eclair.projects";
const PAGE_SIZE = 200;

export class Projects {
  all = $state.raw<readonly Project[]>([]);
  /** The projects have been read. */
  known = $state(false);
  /** The conversations of the open projects, latest change first. */
  contents = $state.raw<ReadonlyMap<string, readonly Conversation[]>>(new Map());
  readonly open = new SvelteSet<string>(readStoredJson<string[]>(STORED_OPEN) ?? []);
  readonly #api: Api;
  /** Counts the readings, so that an older one doesn't replace a newer one. */
  #readings = 0;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Read the projects, and the conversations of those that are open. */
  async refresh(): Promise<void> {
    this.#readings += 1;
    const reading = this.#readings;
    try {
      const all = await this.#api.projects.list();
      const shown = all.filter(({ id }) => this.open.has(id));
      const contents = new Map(await Promise.all(shown.map(async ({ id }) => [id, await this.conversationsIn(id)] as const)));
      if (reading !== this.#readings) return;
      this.all = all;
      this.known = true;
      this.contents = contents;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  async conversationsIn(project: string): Promise<readonly Conversation[]> {
    const found: Conversation[] = [];
    let before: string | undefined;
    do {
      const page = await this.#api.conversations.list({ archived: false, tag: null, project, limit: PAGE_SIZE, ...(before !== undefined && { before }) });
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

  async add(name: string): Promise<Project> {
    const project = await this.#api.projects.add(name);
    this.open.add(project.id);
    writeStored(STORED_OPEN, JSON.stringify([...this.open]));
    await this.refresh();
    return project;
  }

  async change(id: string, changes: ProjectChanges): Promise<void> {
    await this.#api.projects.change(id, changes);
    await this.refresh();
  }

  async openLibrary(id: string): Promise<void> {
    await this.#api.projects.openLibrary(id);
    await this.refresh();
  }

  async remove(id: string): Promise<void> {
    await this.#api.projects.remove(id);
    await this.refresh();
  }

  /** The members’ conversations that are shown in a project. */
  shownIn(project: string): Promise<readonly ShownConversation[]> {
    return this.#api.projects.shown(project);
  }

  async show(conversation: string, project: string): Promise<void> {
    await this.#api.projects.show(conversation, project);
    await this.refresh();
  }

  async hide(conversation: string): Promise<void> {
    await this.#api.projects.hide(conversation);
    await this.refresh();
  }

  async restore(id: string): Promise<void> {
    await this.#api.projects.restore(id);
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
