// Tells the tabs of one browser apart, and lets one of them act at a time. Where the browser has no locks (pages not
// served over HTTPS), every tab acts as if it were alone, and the server drops duplicates.

import { readStored, writeStored } from "./storage.ts";

const TAB = "eclair.tab";

let currentId: string | null = null;
let claimed: Promise<void> | null = null;

/** This tab's id, which survives a reload. */
export function tabId(): string {
  currentId ??= readStored(TAB, "sessionStorage") ?? createId();
  return currentId;
}

/** The ids of the open tabs, including this one. */
export async function openTabs(): Promise<ReadonlySet<string>> {
  claimed ??= claim();
  await claimed;
  const { held } = navigator.locks === undefined ? { held: [] } : await navigator.locks.query();
  return new Set((held ?? []).flatMap((lock) => (lock.name?.startsWith(`${TAB}.`) ? [lock.name.slice(TAB.length + 1)] : [])));
}

/** Run `action` while no other tab holds the lock `name`. */
export async function withLock<T>(lockName: string, action: () => Promise<T>): Promise<T> {
  return navigator.locks === undefined ? action() : navigator.locks.request(lockName, action);
}

/** Hold the lock `name` until the tab is closed or the returned function is called; its promise resolves once the lock
 * is free. */
export function holdLock(lockName: string): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const held = withLock(lockName, () => promise);
  return () => {
    resolve();
    return held;
  };
}

/** True where some tab holds the lock. */
export async function isLockHeld(lockName: string): Promise<boolean> {
  const { held } = navigator.locks === undefined ? { held: [] } : await navigator.locks.query();
  return held?.some((lock) => lock.name === lockName) ?? false;
}

/** Tell the other tabs that this one is open. A duplicated tab takes an id of its own. */
async function claim(): Promise<void> {
  if (navigator.locks === undefined) return;
  const free = await new Promise<boolean>((resolve) => {
    void navigator.locks.request(`${TAB}.${tabId()}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise(() => {});
    });
  });
  if (free) return;
  currentId = createId();
  await claim();
}

function createId(): string {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  writeStored(TAB, id, "sessionStorage");
  return id;
}
