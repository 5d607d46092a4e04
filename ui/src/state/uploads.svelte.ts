// Uploads in order. A failed one stays, with the reason, until it is retried or dropped.

import { ApiError } from "../api/client.ts";
import type { FileState } from "../api/files.ts";

export interface Upload {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  /** From 0 to 1. */
  readonly share: number;
  /** Why it failed; null while it is in progress. */
  readonly problem: string | null;
}

export interface UploadTarget {
  send(file: File, progress: (share: number) => void, signal: AbortSignal): Promise<FileState>;
  onUploaded(file: FileState): void;
}

export class Uploads {
  files = $state.raw<readonly Upload[]>([]);
  /** How many are in progress. */
  readonly pending = $derived(this.files.filter(({ problem }) => problem === null).length);
  readonly #target: UploadTarget;
  readonly #maxConcurrent: number;
  readonly #sources = new Map<string, File>();
  readonly #controllers = new Map<string, AbortController>();
  #waiting: string[] = [];
  #active = 0;

  /** `maxConcurrent` of them are sent at once; with 1 they arrive in order. */
  constructor(target: UploadTarget, maxConcurrent = 1) {
    this.#target = target;
    this.#maxConcurrent = maxConcurrent;
  }

  add(files: readonly File[]): void {
    const added = files.map((file) => ({ id: crypto.getRandomValues(new Uint32Array(3)).join(), file }));
    for (const { id, file } of added) this.#sources.set(id, file);
    this.files = [...this.files, ...added.map(({ id, file }) => ({ id, name: file.name, size: file.size, share: 0, problem: null }))];
    this.#waiting.push(...added.map(({ id }) => id));
    this.#next();
  }

  retry(id: string): void {
    this.#change(id, { share: 0, problem: null });
    this.#waiting.push(id);
    this.#next();
  }

  /** Stop an upload, or dismiss a failed one. */
  drop(id: string): void {
    this.#waiting = this.#waiting.filter((other) => other !== id);
    this.#controllers.get(id)?.abort();
    this.#sources.delete(id);
    this.files = this.files.filter((file) => file.id !== id);
  }

  dropAll(): void {
    for (const { id } of this.files) this.drop(id);
  }

  #next(): void {
    while (this.#active < this.#maxConcurrent) {
      const id = this.#waiting.shift();
      const file = this.#sources.get(id ?? "");
      if (id === undefined) return;
      if (file !== undefined) void this.#send(id, file);
    }
  }

  async #send(id: string, file: File): Promise<void> {
    const controller = new AbortController();
    this.#controllers.set(id, controller);
    this.#active += 1;
    try {
      const onUploaded = await this.#target.send(file, (share) => this.#change(id, { share }), controller.signal);
      if (controller.signal.aborted) return;
      this.drop(id);
      this.#target.onUploaded(onUploaded);
    } catch (error) {
      if (controller.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.#change(id, { problem: error.message });
    } finally {
      this.#controllers.delete(id);
      this.#active -= 1;
      this.#next();
    }
  }

  #change(id: string, change: Partial<Upload>): void {
    this.files = this.files.map((file) => (file.id === id ? { ...file, ...change } : file));
  }
}
