// Conversations deleted together in this browser, for as long as that can be undone.

import type { Deleted } from "../api/conversations.ts";
import { readStoredJson, writeStored } from "../lib/storage.ts";

const STORED_BATCHES = "eclair.removed";
/** The server keeps them for as long. */
const UNDO_TTL_MS = 600_000;

export interface DeletedBatch extends Deleted {
  readonly until: number;
}

export class DeletedBatches {
  all = $state.raw<readonly DeletedBatch[]>([]);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.#show(stored());
  }

  add(deleted: Deleted): void {
    if (deleted.count > 0) this.#store([...stored(), { ...deleted, until: Date.now() + UNDO_TTL_MS }]);
  }

  /** Forget a batch that was restored. */
  remove({ moment }: Deleted): void {
    this.#store(stored().filter((other) => other.moment !== moment));
  }

  /** Forget all of them, once they are erased for good. */
  clear(): void {
    this.#store([]);
  }

  /** Stop the timer. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #store(batches: readonly DeletedBatch[]): void {
    writeStored(STORED_BATCHES, batches.length === 0 ? null : JSON.stringify(batches));
    this.#show(batches);
  }

  #show(batches: readonly DeletedBatch[]): void {
    this.all = batches;
    this.close();
    const [first] = batches;
    if (first !== undefined) this.#timer = setTimeout(() => this.#store(stored()), first.until - Date.now());
  }
}

/** The batches that can still be undone, oldest first; another tab may have added to them. */
function stored(): DeletedBatch[] {
  const batches = readStoredJson<DeletedBatch[]>(STORED_BATCHES) ?? [];
  return batches.filter(({ until }) => until > Date.now());
}
