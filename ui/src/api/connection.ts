// One connection to an event stream, and the pause before the next one.

import { type Frame, Parser } from "./sse.ts";

/** Milliseconds after which a connection on which nothing came, not even a comment, is dead. */
export const SILENCE_TIMEOUT_MS = 40_000;

/** The frames of the stream that `open` opens, those that came together in one list, until it ends, dies or `signal` aborts. */
export async function* readFrames(
  open: (signal: AbortSignal) => Promise<Response>,
  signal: AbortSignal,
  silence = SILENCE_TIMEOUT_MS,
): AsyncGenerator<Frame[]> {
  const cut = new AbortController();
  const abort = () => cut.abort();
  signal.addEventListener("abort", abort);
  let watchdog = setTimeout(abort, silence);
  try {
    const response = await open(cut.signal);
    if (response.body === null) return;
    const parser = new Parser();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(abort, silence);
      yield parser.feed(value);
    }
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener("abort", abort);
    cut.abort();
  }
}

/** Waits, but no longer than until the network comes back or `signal` aborts. */
export function waitOrOnline(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      globalThis.removeEventListener?.("online", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
    globalThis.addEventListener?.("online", done);
  });
}
