// One connection to an event stream, and the pause before the next.

import { type Frame, Parser } from "./sse.ts";

/** After this long without a byte, not even a comment, a connection is considered dead. */
export const SILENCE_TIMEOUT_MS = 40_000;

/** Yield the frames of the stream that `open` opens, batched as they arrive, until it ends, dies or `signal` aborts. */
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

/** Wait, but only until the network is back or `signal` aborts. */
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
