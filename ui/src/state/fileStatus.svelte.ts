// What is known of the files that are shown: how far each is read, or that it is gone.

import { untrack } from "svelte";
import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { FileState } from "../api/files.ts";

/** Between two looks at files that are being read, however often they are said to have changed. */
const POLL_INTERVAL_MS = 400;

export class FileStatuses {
  /** Null for one that is gone. */
  known = $state.raw<ReadonlyMap<string, FileState | null>>(new Map());
  readonly #api: Api;
  readonly #shown = new Map<string, number>();
  #looking = false;
  #again = false;

  constructor(api: Api) {
    this.#api = api;
  }

  /** A file is shown until what is returned is called. */
  show(id: string): () => void {
    this.#shown.set(id, (this.#shown.get(id) ?? 0) + 1);
    untrack(() => {
      if (!this.known.has(id)) void this.#read(id);
    });
    return () => {
      const left = (this.#shown.get(id) ?? 1) - 1;
      if (left > 0) this.#shown.set(id, left);
      else this.#shown.delete(id);
    };
  }

  /** What was just said of a file. */
  set(file: FileState): void {
    this.known = new Map(this.known).set(file.id, file);
  }

  /** A file was erased. */
  markDeleted(id: string): void {
    this.known = new Map(this.known).set(id, null);
  }

  /** Something has happened to files, by whose doing it may be: look at those that are not read yet. */
  async refresh(): Promise<void> {
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = true;
    do {
      this.#again = false;
      const open = [...this.#shown.keys()].filter((id) => !isSettled(this.known.get(id)));
      await Promise.all(open.map((id) => this.#read(id)));
      if (open.length > 0) await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    } while (this.#again);
    this.#looking = false;
  }

  /** Those of `ids` that are still there, as far as the server can be asked. */
  async existing(ids: readonly string[]): Promise<string[]> {
    await Promise.all(ids.map((id) => this.#read(id)));
    return ids.filter((id) => this.known.get(id) !== null);
  }

  async #read(id: string): Promise<void> {
    try {
      this.set(await this.#api.files.get(id));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) this.markDeleted(id);
    }
  }
}

function isSettled(file: FileState | null | undefined): boolean {
  return file === null || file?.state === "ready" || file?.state === "failed";
}
