// The browser's storage. What it does not take is kept in this page's memory, and so is what belongs to a conversation
// that must leave no trace.

const memory = new Map<string, string>();
const unstored = new Set<string>();

/** From now on nothing of this conversation goes into the browser's storage. */
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

/** Where the storage is full or forbidden, it is remembered until the page is closed. */
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

/** Whether what has this name does not live in this page's memory alone. */
export function isPersistent(name: string): boolean {
  return !memory.has(name);
}

/** The names that begin with `prefix`, those in memory too. */
export function storedNames(prefix: string): string[] {
  let stored: string[] = [];
  try {
    stored = Object.keys(localStorage);
  } catch {
    // A storage that is forbidden holds nothing.
  }
  return [...new Set([...stored, ...memory.keys()])].filter((name) => name.startsWith(prefix));
}

/** What lies there as JSON; what is no JSON is as good as nothing. */
export function readStoredJson<T>(name: string): T | null {
  const kept = readStored(name);
  try {
    return kept === null ? null : (JSON.parse(kept) as T);
  } catch {
    return null;
  }
}

/** Whether anything that was written would be lost with this page. */
export function hasUnstoredText(): boolean {
  return [...memory.keys()].some((name) => /^eclair\.(draft|queue)\./.test(name));
}
