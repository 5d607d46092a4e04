// What the page does without its server, with the service worker: it knows that it is away, and that a new version came.

type Wish = { readonly keep: string } | { readonly hold: readonly string[] } | { readonly refresh: true };

const CHECK_DELAY_MS = 2000;

export class Offline {
  /** The server cannot be reached; what is shown is what was kept. */
  away = $state(false);
  /** The server has another version of the page than this one. */
  renewed = $state(false);

  /** What became of a call: its response, or null where there was none. */
  note(response: Response | null): void {
    this.away = response === null || response.headers.has("X-Eclair-Kept");
  }

  /** Have the worker keep the page. Only a page of this machine or one that came by https may have one. */
  start(): void {
    addEventListener("vite:preloadError", () => (this.renewed ||= !this.away)); // away, nothing can be fetched
    if (import.meta.env.DEV || !("serviceWorker" in navigator)) return;
    const workers = navigator.serviceWorker;
    let known = workers.controller !== null;
    workers.addEventListener("controllerchange", () => {
      this.renewed ||= known;
      known = true;
    });
    const register = async () => {
      await workers.register("/worker.js");
      const files = performance.getEntriesByType("resource").map(({ name }) => name);
      this.#wish({ hold: files.filter((name) => name.startsWith(location.origin)) });
      this.#wish({ refresh: true });
    };
    setTimeout(() => void register(), CHECK_DELAY_MS);
  }

  /** Keep this conversation as it stands on the server. */
  keep(conversation: string): void {
    this.#wish({ keep: conversation });
  }

  #wish(wish: Wish): void {
    if ("serviceWorker" in navigator) void navigator.serviceWorker.ready.then(({ active }) => active?.postMessage(wish));
  }
}
