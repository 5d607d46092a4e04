// The memories of this person, read once for all that shows them, and again after each change.

import { MemoryCalls, type Memory } from "../api/memories.ts";
import type { App } from "./app.svelte.ts";

const OF_APPS = new WeakMap<App, Memories>();

export class Memories {
  /** Null until they are read. */
  all = $state.raw<readonly Memory[] | null>(null);
  readonly calls: MemoryCalls;
  readonly #app: App;
  /** The change that was last read, as the app counts them. */
  #read = -1;

  constructor(app: App) {
    this.#app = app;
    this.calls = new MemoryCalls(app.api.client);
  }

  /** The memories of an app. */
  static of(app: App): Memories {
    let found = OF_APPS.get(app);
    if (found === undefined) OF_APPS.set(app, (found = new Memories(app)));
    return found;
  }

  find(id: string): Memory | undefined {
    return this.all?.find((memory) => memory.id === id);
  }

  /** Read them if they have changed since; for effects, which run again after a change. */
  async follow(): Promise<void> {
    const change = this.#app.memoryChanges;
    if (change === this.#read) return;
    this.#read = change;
    await this.refresh();
  }

  async refresh(): Promise<void> {
    this.all = await this.calls.list();
  }
}
