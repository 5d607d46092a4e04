// Follows a run: yields every event once and in order, reconnecting as often as needed.

import { readFrames, waitOrOnline } from "./connection.ts";
import { END, type Event } from "./events.ts";
import type { Frame } from "./sse.ts";

export interface Batch {
  /** Drop what came before: the log is shorter than what was seen, and it follows from its start. */
  readonly reset: boolean;
  readonly events: readonly Event[];
}

export interface RunConnection {
  /** Open the stream of events after number `after`; rejects or answers not-ok when that fails. */
  open(after: number, signal: AbortSignal): Promise<Response>;
  /** Called when the connection is lost and when it is back. */
  onConnection?(live: boolean): void;
  sleep?(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** After this many milliseconds without a byte, not even a comment, a connection is considered dead. */
  silence?: number;
}

/** The server refuses the run: it doesn't exist, or access is denied. */
export class StreamRefused extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`the run cannot be followed (${status})`);
    this.status = status;
  }
}

const FIRST_RETRY_DELAY_MS = 200;
const MAX_RETRY_DELAY_MS = 4000;

/**
 * The run's events from number `after + 1` to its last. Ends with the last event or when `signal` aborts.
 *
 * A server that dies takes the newest events with it, and the log's new end then bears numbers that were seen on
 * others: after a resumption that finds the run interrupted, or the log at its end, the log is read again.
 */
export async function* followRun(connection: RunConnection, signal: AbortSignal, after = 0): AsyncGenerator<Batch> {
  const sleep = connection.sleep ?? waitOrOnline;
  let seen = after;
  let wait = FIRST_RETRY_DELAY_MS;
  let rereading = false;
  while (!signal.aborted) {
    const resumed = seen > 0;
    let received = false;
    let lostEvents = false;
    try {
      for await (const frames of readFrames(openAfter(connection, seen), signal, connection.silence)) {
        const batch = newEvents(frames, seen);
        lostEvents = resumed && !batch.reset && batch.events.some((event) => event.type === "run.interrupted");
        if (lostEvents) break;
        seen = batch.seen;
        const { events } = batch;
        const reset = batch.reset || (rereading && events.length > 0);
        if (reset || events.length > 0) {
          received = true;
          rereading = false;
          wait = FIRST_RETRY_DELAY_MS;
          yield { reset, events };
        }
        if (batch.gap) break;
        if (END.has(events.at(-1)?.type ?? "")) return;
      }
      if (resumed && !received) lostEvents = true;
    } catch (error) {
      if (error instanceof StreamRefused) throw error;
    }
    if (signal.aborted) return;
    if (lostEvents) {
      seen = 0;
      rereading = true;
    }
    connection.onConnection?.(false);
    await sleep(wait, signal);
    wait = Math.min(wait * 2, MAX_RETRY_DELAY_MS);
  }
}

/** The new events of some frames. A gap means that the connection failed and the log must be read again. */
function newEvents(frames: readonly Frame[], after: number): Batch & { seen: number; gap: boolean } {
  let seen = after;
  let reset = false;
  let events: Event[] = [];
  for (const frame of frames) {
    if (frame.event === "reset") {
      reset = true;
      seen = 0;
      events = [];
      continue;
    }
    const event = JSON.parse(frame.data) as Event;
    if (event.seq <= seen) continue;
    if (event.seq !== seen + 1) return { reset, events, seen, gap: true };
    seen = event.seq;
    events.push(event);
  }
  return { reset, events, seen, gap: false };
}

/** Open a connection for the events after number `after`. Rejects with StreamRefused where the server refuses. */
function openAfter(connection: RunConnection, after: number): (signal: AbortSignal) => Promise<Response> {
  return async (signal) => {
    const response = await connection.open(after, signal);
    if (!response.ok) {
      if (response.status >= 400 && response.status < 500 && response.status !== 429) throw new StreamRefused(response.status);
      throw new Error(`status ${response.status}`);
    }
    connection.onConnection?.(true);
    return response;
  };
}
