// The state of the files on the page: how much of each is read, or that it was deleted.

import { untrack } from "svelte";
import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { FileState } from "../api/files.ts";

type FileReads = { readonly files: Pick<Api["files"], "get"> };

/** Between two looks at files in progress, however often they change. */
const POLL_INTERVAL_MS = 400;

export class FileStatuses {
  /** By id; null for a deleted file. */
  known = $state.raw<ReadonlyMap<string, FileState | null>>(new Map());
  readonly #api: FileReads;
  readonly #shown = new Map<string, number>();
  #polling = false;
  #pollAgain = false;

  constructor(api: FileReads) {
    this.#api = api;
  }

  /**
   * Keep a file's state up to date until the returned function is called. It is read at once unless it is settled: what
   * changed since it was noted, as in a file that is read before its upload's reply is here, isn't told again.
   */
  show(id: string): () => void {
    this.#shown.set(id, (this.#shown.get(id) ?? 0) + 1);
    untrack(() => {
      if (!isSettled(this.known.get(id))) void this.#read(id);
    });
    return () => {
      const left = (this.#shown.get(id) ?? 1) - 1;
      if (left > 0) this.#shown.set(id, left);
      else this.#shown.delete(id);
    };
  }

  /** Note a file's state as the server reported it. */
  set(file: FileState): void {
    this.known = new Map(this.known).set(file.id, file);
  }

  markDeleted(id: string): void {
    this.known = new Map(this.known).set(id, null);
  }

  /** Files may have changed: read the state of unfinished ones again. */
  async refresh(): Promise<void> {
    if (this.#polling) {
      this.#pollAgain = true;
      return;
    }
    this.#polling = true;
    do {
      this.#pollAgain = false;
      const open = [...this.#shown.keys()].filter((id) => !isSettled(this.known.get(id)));
      await Promise.all(open.map((id) => this.#read(id)));
      if (open.length > 0) await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    } while (this.#pollAgain);
    this.#polling = false;
  }

  /** Those of `ids` that still exist, as far as the server can be reached. */
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
  return file === null || file?.state === "failed" || (file?.state === "ready" && file.embedded === file.chunks);
}
