// Listens for changes on the server, reconnecting as often as needed.

import { ApiError } from "./client.ts";
import { readFrames, waitOrOnline } from "./connection.ts";
import type { Change } from "./events.ts";

export interface ChangeListener {
  open(signal: AbortSignal): Promise<Response>;
  onChange(change: Change): void;
  /** Called when the connection is lost and when it is back. */
  onConnection(live: boolean): void;
}

const FIRST_RETRY_DELAY_MS = 250;
const MAX_RETRY_DELAY_MS = 4000;

/** Listens until `signal` aborts, or the key is refused. */
export async function listenForChanges(listening: ChangeListener, signal: AbortSignal): Promise<void> {
  let wait = FIRST_RETRY_DELAY_MS;
  const open = async (cut: AbortSignal) => {
    const response = await listening.open(cut);
    listening.onConnection(true);
    return response;
  };
  while (!signal.aborted) {
    try {
      for await (const frames of readFrames(open, signal)) {
        wait = FIRST_RETRY_DELAY_MS;
        for (const { data } of frames) listening.onChange(JSON.parse(data) as Change);
      }
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return;
      if (![ApiError, TypeError, DOMException].some((known) => error instanceof known)) throw error;
    }
    if (signal.aborted) return;
    listening.onConnection(false);
    await waitOrOnline(wait, signal);
    wait = Math.min(wait * 2, MAX_RETRY_DELAY_MS);
  }
}
