// Tells the tabs of one browser apart, and lets one of them act at a time. Where the browser has no locks (pages
// that did not come over HTTPS), every tab acts as if it were alone; the server then sorts out what is doubled.

import { readStored, writeStored } from "./storage.ts";

const TAB = "eclair.tab";

let name: string | null = null;
let claimed: Promise<void> | null = null;

/** This tab's name. It is the same after a reload. */
export function tabId(): string {
  name ??= readStored(TAB, "sessionStorage") ?? rename();
  return name;
}

/** The names of the tabs that are open, this one among them. */
export async function openTabs(): Promise<ReadonlySet<string>> {
  claimed ??= claim();
  await claimed;
  const { held } = navigator.locks === undefined ? { held: [] } : await navigator.locks.query();
  return new Set((held ?? []).flatMap((lock) => (lock.name?.startsWith(`${TAB}.`) ? [lock.name.slice(TAB.length + 1)] : [])));
}

/** Act while no other tab does so under this name. */
export async function withLock<T>(under: string, action: () => Promise<T>): Promise<T> {
  return navigator.locks === undefined ? action() : navigator.locks.request(under, action);
}

/** Hold this name until the tab is closed or what is returned is called; its promise says that the others know. */
export function holdLock(under: string): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const held = withLock(under, () => promise);
  return () => {
    resolve();
    return held;
  };
}

/** Whether some tab holds this name. */
export async function isLockHeld(under: string): Promise<boolean> {
  const { held } = navigator.locks === undefined ? { held: [] } : await navigator.locks.query();
  return held?.some((lock) => lock.name === under) ?? false;
}

/** Show the other tabs that this one is open. One that was made as a copy of another takes a name of its own. */
async function claim(): Promise<void> {
  if (navigator.locks === undefined) return;
  const free = await new Promise<boolean>((told) => {
    void navigator.locks.request(`${TAB}.${tabId()}`, { ifAvailable: true }, (lock) => {
      told(lock !== null);
      return lock === null ? undefined : new Promise(() => {});
    });
  });
  if (free) return;
  name = rename();
  await claim();
}

function rename(): string {
  const fresh = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  writeStored(TAB, fresh, "sessionStorage");
  return fresh;
}
