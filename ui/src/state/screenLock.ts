// Keeps the screen on while a person talks with the page and touches nothing: a phone that sleeps hears nothing.

/** Keep the screen on until it is aborted, as far as the browser can. */
export function keepScreenOn(signal: AbortSignal): void {
  if (!("wakeLock" in navigator)) return;
  const hold = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      const lock = await navigator.wakeLock.request("screen");
      if (signal.aborted) await lock.release();
      else signal.addEventListener("abort", () => void lock.release(), { once: true });
    } catch (error) {
      // A battery that is low refuses it, and then the person keeps the screen on.
      if (!(error instanceof DOMException)) throw error;
    }
  };
  // The browser lets go of it whenever the page is hidden.
  document.addEventListener("visibilitychange", () => void hold(), { signal });
  void hold();
}
