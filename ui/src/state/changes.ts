// Listens for what changes on the server, over as many connections as it takes.

import { ApiError } from "../api.ts";
import type { Change } from "../events.ts";
import { Parser } from "../sse.ts";

export interface Listening {
  open(signal: AbortSignal): Promise<Response>;
  heard(change: Change): void;
  /** Told when the connection is lost and found. */
  connected(live: boolean): void;
}

const FIRST_WAIT = 250;
const LONGEST_WAIT = 4000;
/** A connection on which nothing, not even a comment, came for so long is dead. */
const SILENCE = 40_000;

/** Listens until `signal` aborts, or the key is refused. */
export async function listen(listening: Listening, signal: AbortSignal): Promise<void> {
  let wait = FIRST_WAIT;
  while (!signal.aborted) {
    try {
      for await (const changes of connection(listening, signal)) {
        wait = FIRST_WAIT;
        for (const change of changes) listening.heard(change);
      }
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return;
      if (![ApiError, TypeError, DOMException].some((known) => error instanceof known)) throw error;
    }
    if (signal.aborted) return;
    listening.connected(false);
    await pause(wait, signal);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}

async function* connection({ open, connected }: Listening, signal: AbortSignal): AsyncGenerator<Change[]> {
  const cut = new AbortController();
  const abort = () => cut.abort();
  signal.addEventListener("abort", abort);
  let watchdog = setTimeout(abort, SILENCE);
  try {
    const response = await open(cut.signal);
    if (response.body === null) return;
    connected(true);
    const parser = new Parser();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(abort, SILENCE);
      yield parser.feed(value).map(({ data }) => JSON.parse(data) as Change);
    }
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener("abort", abort);
    cut.abort();
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
    addEventListener("online", done);
  });
}
