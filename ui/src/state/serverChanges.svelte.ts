// Listens for changes on the server while the page is visible; a hidden one leaves the connection to others.

import { listenForChanges } from "../api/changes.ts";
import type { Change } from "../api/events.ts";
import { throttled } from "../lib/throttled.ts";

/** How long a connection can be lost before the page says so. */
const RECONNECT_GRACE_MS = 1500;

/** Least time between two changes that don't say what they are of: the page reads everything again for each. */
const UNNAMED_INTERVAL_MS = 3000;

export class ServerChanges {
  connected = $state(true);
  readonly #open: (signal: AbortSignal) => Promise<Response>;
  readonly #onChange: (change: Change) => void;
  #listening: AbortController | null = null;
  #lostTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(open: (signal: AbortSignal) => Promise<Response>, onChange: (change: Change) => void) {
    this.#open = open;
    const everything = throttled(() => onChange({ conversation: null, kind: "changed" }), UNNAMED_INTERVAL_MS);
    this.#onChange = (change) => (change.conversation === null && change.kind === "changed" ? everything() : onChange(change));
  }

  /** Connect again, or disconnect where the page is hidden. */
  restart(): void {
    this.#listening?.abort();
    this.#listening = null;
    if (document.hidden) return;
    this.#listening = new AbortController();
    const listener = { open: this.#open, onChange: this.#onChange, onConnection: (live: boolean) => this.#update(live) };
    void listenForChanges(listener, this.#listening.signal);
  }

  #update(live: boolean): void {
    if (!live) {
      this.#lostTimer ??= setTimeout(() => (this.connected = false), RECONNECT_GRACE_MS);
      return;
    }
    clearTimeout(this.#lostTimer);
    this.#lostTimer = undefined;
    this.connected = true;
  }
}
