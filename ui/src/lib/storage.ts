// The browser's storage. What it refuses is kept in this page's memory, as is everything of a temporary chat.

const memory = new Map<string, string>();
const unstored = new Set<string>();

/** Keep everything of this conversation out of the browser's storage from now on. */
export function keepInMemory(conversation: string): void {
  unstored.add(conversation);
}

export function readStored(name: string, storage: "localStorage" | "sessionStorage" = "localStorage"): string | null {
  const remembered = memory.get(name);
  if (remembered !== undefined) return remembered;
  try {
    return globalThis[storage].getItem(name);
  } catch {
    return null;
  }
}

/** Where the storage is full or blocked, the value is kept until the page is closed. */
export function writeStored(name: string, value: string | null, storage: "localStorage" | "sessionStorage" = "localStorage"): void {
  memory.delete(name);
  if ([...unstored].some((id) => name.includes(id))) {
    if (value !== null) memory.set(name, value);
    return;
  }
  try {
    if (value === null) globalThis[storage].removeItem(name);
    else globalThis[storage].setItem(name, value);
  } catch {
    if (value !== null) memory.set(name, value);
  }
}

/** False where the value is only in this page's memory. */
export function isPersistent(name: string): boolean {
  return !memory.has(name);
}

/** The names that begin with `prefix`, including those in memory. */
export function storedNames(prefix: string): string[] {
  let stored: string[] = [];
  try {
    stored = Object.keys(localStorage);
  } catch {
    // A blocked storage holds nothing.
  }
  return [...new Set([...stored, ...memory.keys()])].filter((name) => name.startsWith(prefix));
}

/** Forget everything that Éclair stored in this browser for all its tabs. */
export function clearStored(): void {
  for (const name of storedNames("eclair.")) writeStored(name, null);
}

/** The stored JSON; null where there is none or it is invalid. */
export function readStoredJson<T>(name: string): T | null {
  const stored = readStored(name);
  try {
    return stored === null ? null : (JSON.parse(stored) as T);
  } catch {
    return null;
  }
}

/** True where text that was written would be lost with this page. */
export function hasUnstoredText(): boolean {
  return [...memory.keys()].some((name) => /^eclair\.(draft|queue)\./.test(name));
}
