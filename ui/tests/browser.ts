// The browser that the page's state needs, without rendering: storage, frames, and the page's events.

import type { Environment } from "vitest/runtime";

/** Like a browser's storage, its items are its own properties. */
class MemoryStorage {
  setItem(name: string, value: string): void {
    Reflect.set(this, name, value);
  }

  getItem(name: string): string | null {
    return Object.hasOwn(this, name) ? (Reflect.get(this, name) as string) : null;
  }

  removeItem(name: string): void {
    Reflect.deleteProperty(this, name);
  }

  clear(): void {
    for (const name of Object.keys(this)) this.removeItem(name);
  }
}

/** A window that dispatches events, on a system without any preferences. */
function page(): object {
  const events = new EventTarget();
  return {
    localStorage: new MemoryStorage(),
    sessionStorage: new MemoryStorage(),
    addEventListener: events.addEventListener.bind(events),
    removeEventListener: events.removeEventListener.bind(events),
    dispatchEvent: events.dispatchEvent.bind(events),
    matchMedia: () => Object.assign(new EventTarget(), { matches: false }),
    requestAnimationFrame: (paint: () => void) => setTimeout(paint, 1),
    cancelAnimationFrame: (frame: number) => clearTimeout(frame),
    document: Object.assign(new EventTarget(), { hidden: false, compatMode: "CSS1Compat", documentElement: { dataset: {}, style: {}, setAttribute() {} } }),
  };
}

export default {
  name: "browser",
  viteEnvironment: "client",
  setup(global: object) {
    for (const [name, value] of Object.entries(page())) {
      Object.defineProperty(global, name, { value, configurable: true, writable: true });
    }
    return { teardown() {} };
  },
} satisfies Environment;
