// What was deleted all at once with this browser, for as long as it can be brought back.

import type { Deleted } from "../api.ts";
import { read, write } from "./drafts.ts";

const REMOVED = "eclair.removed";
/** So long the server keeps it. */
const KEPT = 600_000;

export interface Batch extends Deleted {
  readonly until: number;
}

export class Removed {
  all = $state.raw<readonly Batch[]>([]);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.#show(JSON.parse(read(REMOVED) ?? "[]") as Batch[]);
  }

  add(deleted: Deleted): void {
    this.#keep([...this.all, { ...deleted, until: Date.now() + KEPT }]);
  }

  /** It was brought back. */
  take(batch: Batch): void {
    this.#keep(this.all.filter((other) => other !== batch));
  }

  /** Look at the clock no more. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #keep(batches: readonly Batch[]): void {
    this.#show(batches);
    write(REMOVED, this.all.length === 0 ? null : JSON.stringify(this.all));
  }

  /** Show those whose time is not over, until it is. */
  #show(batches: readonly Batch[]): void {
    this.close();
    const now = Date.now();
    this.all = batches.filter(({ until }) => until > now);
    const first = Math.min(...this.all.map(({ until }) => until));
    if (this.all.length > 0) this.#timer = setTimeout(() => this.#keep(this.all), first - now);
  }
}
