// An answer while it grows: its run is followed, and what arrives becomes visible once per frame.

import type { Event, Message } from "../api/events.ts";
import { fold } from "../api/fold.ts";
import { type Batch, followRun, StreamRefused } from "../api/runStream.ts";

export interface RunHost {
  /** Opens the stream of the run's events after number `after`. */
  open(run: string, after: number, signal: AbortSignal): Promise<Response>;
  /** Told whenever the connection is lost and found. */
  connected(live: boolean): void;
  /** The run has ended with this answer, or cannot be followed, with as much of it as came. */
  ended(answer: Message | null): void | Promise<void>;
}

export class RunFollower {
  run = $state<string | null>(null);
  live = $state.raw<Message | null>(null);

  readonly #of: RunHost;
  #following: AbortController | null = null;
  #frame: { cancel(): void } | null = null;
  #pending: Event[] = [];

  constructor(of: RunHost) {
    this.#of = of;
  }

  /** Whether its run is being followed. One that was left is known, but not followed. */
  get followed(): boolean {
    return this.#following !== null;
  }

  follow(run: string): void {
    if (this.run === run && this.followed) return;
    this.leave();
    this.#pending = [];
    this.run = run;
    this.live = null;
    const following = new AbortController();
    this.#following = following;
    void this.#grow(run, following.signal);
  }

  /** Follow no further; the answer goes on. */
  leave(): void {
    this.#following?.abort();
    this.#following = null;
    this.#frame?.cancel();
    this.#frame = null;
  }

  async #grow(run: string, signal: AbortSignal): Promise<void> {
    const open = (after: number, cut: AbortSignal) => this.#of.open(run, after, cut);
    const connected = (live: boolean) => this.#of.connected(live);
    try {
      for await (const batch of followRun({ open, connected }, signal)) {
        if (signal.aborted) return;
        this.#arrive(batch);
      }
      if (signal.aborted) return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof StreamRefused)) throw error;
    }
    this.#flush();
    const answer = this.live;
    this.#following = null;
    this.run = null;
    this.live = null;
    await this.#of.ended(answer);
  }

  #arrive(batch: Batch): void {
    if (batch.reset) {
      this.#pending = [];
      this.live = null;
    }
    this.#pending.push(...batch.events);
    this.#frame ??= nextFrame(() => this.#flush());
  }

  /** What arrived since the last frame becomes visible, in one change. */
  #flush(): void {
    this.#frame?.cancel();
    this.#frame = null;
    let live = this.live;
    for (const event of this.#pending) {
      live = fold(live, event);
    }
    this.#pending = [];
    this.live = live;
  }
}

/** Once, at the next paint; on a hidden page, which does not paint, a little later. */
function nextFrame(action: () => void): { cancel(): void } {
  if (document.hidden) {
    const timer = setTimeout(action, 200);
    return { cancel: () => clearTimeout(timer) };
  }
  const frame = requestAnimationFrame(action);
  const timer = setTimeout(action, 500);
  return {
    cancel: () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    },
  };
}
