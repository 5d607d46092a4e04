// Follows the run of an answer in progress, and shows what arrived once per frame.

import type { Event, Message } from "../api/events.ts";
import { fold } from "../api/fold.ts";
import { type Batch, followRun, StreamRefused } from "../api/runStream.ts";

export interface RunCallbacks {
  /** Opens the stream of the run's events after number `after`. */
  open(run: string, after: number, signal: AbortSignal): Promise<Response>;
  /** Called when the connection is lost and when it is back. */
  onConnection(live: boolean): void;
  /** Called with the answer when the run has ended, or with what arrived of it when it can't be followed. */
  onEnd(answer: Message | null): void | Promise<void>;
}

export class RunFollower {
  run = $state<string | null>(null);
  /** The answer so far. */
  answer = $state.raw<Message | null>(null);

  /** All runs that this page followed. */
  readonly followed: Set<string> = new Set();

  readonly #callbacks: RunCallbacks;
  #following: AbortController | null = null;
  #frame: { cancel(): void } | null = null;
  #pending: Event[] = [];

  constructor(callbacks: RunCallbacks) {
    this.#callbacks = callbacks;
  }

  /** A run that was left is known, but not followed. */
  get isFollowing(): boolean {
    return this.#following !== null;
  }

  follow(run: string): void {
    if (this.run === run && this.isFollowing) return;
    this.leave();
    this.followed.add(run);
    this.#pending = [];
    this.run = run;
    this.answer = null;
    const following = new AbortController();
    this.#following = following;
    void this.#receive(run, following.signal);
  }

  /** Stop following; the run goes on. */
  leave(): void {
    this.#following?.abort();
    this.#following = null;
    this.#frame?.cancel();
    this.#frame = null;
  }

  async #receive(run: string, signal: AbortSignal): Promise<void> {
    const open = (after: number, cut: AbortSignal) => this.#callbacks.open(run, after, cut);
    const onConnection = (live: boolean) => this.#callbacks.onConnection(live);
    try {
      for await (const batch of followRun({ open, onConnection }, signal)) {
        if (signal.aborted) return;
        this.#add(batch);
      }
      if (signal.aborted) return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof StreamRefused)) throw error;
    }
    this.#flush();
    const { answer } = this;
    this.#following = null;
    this.run = null;
    this.answer = null;
    await this.#callbacks.onEnd(answer);
  }

  #add(batch: Batch): void {
    if (batch.reset) {
      this.#pending = [];
      this.answer = null;
    }
    this.#pending.push(...batch.events);
    this.#frame ??= nextFrame(() => this.#flush());
  }

  /** Show what arrived since the last frame, in one change. */
  #flush(): void {
    this.#frame?.cancel();
    this.#frame = null;
    let { answer } = this;
    for (const event of this.#pending) {
      answer = fold(answer, event);
    }
    this.#pending = [];
    this.answer = answer;
  }
}

/** Run `action` once, at the next paint; a little later on a hidden page, which doesn't paint. */
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
