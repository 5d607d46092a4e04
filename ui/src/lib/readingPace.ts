// How long the reading of files still takes, from how fast it went since this page saw it first.

import type { FileState } from "../api/files.ts";

/** Below this many seconds of observation, a pace says nothing. */
const MIN_SEEN_S = 3;

export class ReadingPace {
  readonly #first = new Map<string, { readonly at: number; readonly read: number }>();

  /** The seconds until a file is read at the pace so far; null where that is unknown. `now` is in seconds. */
  left({ id, state, pages, pages_read: read }: FileState, now = performance.now() / 1000): number | null {
    if (state !== "reading" || pages === null) return null;
    const first = this.#first.get(id);
    if (first === undefined || read < first.read) {
      this.#first.set(id, { at: now, read });
      return null;
    }
    const [seen, done] = [now - first.at, read - first.read];
    return seen < MIN_SEEN_S || done === 0 ? null : (Math.max(0, pages - read) * seen) / done;
  }
}
