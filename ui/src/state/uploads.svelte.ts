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
  arrived(file: FileState): void;
}

export class Uploads {
  files = $state.raw<readonly Upload[]>([]);
  /** How many are in progress. */
  readonly going = $derived(this.files.filter(({ problem }) => problem === null).length);
  readonly #receiver: UploadTarget;
  readonly #atOnce: number;
  readonly #sources = new Map<string, File>();
  readonly #cuts = new Map<string, AbortController>();
  #waiting: string[] = [];
  #working = 0;

  /** `maxConcurrent` of them are sent at once; with 1 they arrive in order. */
  constructor(receiver: UploadTarget, atOnce = 1) {
    this.#receiver = receiver;
    this.#atOnce = atOnce;
  }

  add(files: readonly File[]): void {
    const fresh = files.map((file) => ({ id: crypto.getRandomValues(new Uint32Array(3)).join(), file }));
    for (const { id, file } of fresh) this.#sources.set(id, file);
    this.files = [...this.files, ...fresh.map(({ id, file }) => ({ id, name: file.name, size: file.size, share: 0, problem: null }))];
    this.#waiting.push(...fresh.map(({ id }) => id));
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
    this.#cuts.get(id)?.abort();
    this.#sources.delete(id);
    this.files = this.files.filter((file) => file.id !== id);
  }

  dropAll(): void {
    for (const { id } of this.files) this.drop(id);
  }

  #next(): void {
    while (this.#working < this.#atOnce) {
      const id = this.#waiting.shift();
      const file = this.#sources.get(id ?? "");
      if (id === undefined) return;
      if (file !== undefined) void this.#send(id, file);
    }
  }

  async #send(id: string, file: File): Promise<void> {
    const cut = new AbortController();
    this.#cuts.set(id, cut);
    this.#working += 1;
    try {
      const arrived = await this.#receiver.send(file, (share) => this.#change(id, { share }), cut.signal);
      if (cut.signal.aborted) return;
      this.drop(id);
      this.#receiver.arrived(arrived);
    } catch (error) {
      if (cut.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.#change(id, { problem: error.message });
    } finally {
      this.#cuts.delete(id);
      this.#working -= 1;
      this.#next();
    }
  }

  #change(id: string, change: Partial<Upload>): void {
    this.files = this.files.map((file) => (file.id === id ? { ...file, ...change } : file));
  }
}
