// The page without its server, with the help of the service worker; and new versions of the page.

import { toAddress } from "../api/address.ts";

type WorkerMessage = { readonly keep: string } | { readonly hold: readonly string[] } | { readonly refresh: true };

const CHECK_DELAY_MS = 2000;

export class Offline {
  /** The server can't be reached; what is shown is stored in the browser. */
  away = $state(false);
  /** The server has another version of the page. */
  updated = $state(false);

  /** Note the result of a call: its response, or null where there was none. */
  note(response: Response | null): void {
    this.away = response === null || response.headers.has("X-Eclair-Kept");
  }

  /** Register the service worker. Browsers allow one only on this machine or over https. */
  start(): void {
    addEventListener("vite:preloadError", () => (this.updated ||= !this.away)); // while the server is away, nothing can be loaded
    if (import.meta.env.DEV || !("serviceWorker" in navigator)) return;
    const workers = navigator.serviceWorker;
    let known = workers.controller !== null;
    workers.addEventListener("controllerchange", () => {
      this.updated ||= known;
      known = true;
    });
    const register = async () => {
      await workers.register(toAddress("/worker.js"));
      const files = performance.getEntriesByType("resource").map(({ name }) => name);
      this.#post({ hold: files.filter((name) => name.startsWith(location.origin + toAddress("/"))) });
      this.#post({ refresh: true });
    };
    setTimeout(() => void register(), CHECK_DELAY_MS);
  }

  /** Store this conversation in the browser as it is on the server. */
  keep(conversation: string): void {
    this.#post({ keep: conversation });
  }

  #post(message: WorkerMessage): void {
    if ("serviceWorker" in navigator) void navigator.serviceWorker.ready.then(({ active }) => active?.postMessage(message));
  }
}
