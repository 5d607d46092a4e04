// What was deleted all at once with this browser, for as long as it can be brought back.

import type { Deleted } from "../api/types.ts";
import { readJson, write } from "./drafts.ts";

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
    this.#show(stored());
  }

  add(deleted: Deleted): void {
    if (deleted.count > 0) this.#keep([...stored(), { ...deleted, until: Date.now() + KEPT }]);
  }

  /** It was brought back. */
  take({ moment }: Deleted): void {
    this.#keep(stored().filter((other) => other.moment !== moment));
  }

  /** Look at the clock no more. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #keep(batches: readonly Batch[]): void {
    write(REMOVED, batches.length === 0 ? null : JSON.stringify(batches));
    this.#show(batches);
  }

  #show(batches: readonly Batch[]): void {
    this.all = batches;
    this.close();
    const [first] = batches;
    if (first !== undefined) this.#timer = setTimeout(() => this.#keep(stored()), first.until - Date.now());
  }
}

/** Those whose time is not over, oldest first; another tab may have added to them. */
function stored(): Batch[] {
  const batches = readJson<Batch[]>(REMOVED) ?? [];
  return batches.filter(({ until }) => until > Date.now());
}
