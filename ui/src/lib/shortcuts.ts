// Shortcuts as text that can be stored and compared, such as `Mod+Shift+O`. `Mod` is ⌘ on a Mac and Ctrl elsewhere.
// Shift is named with letters and named keys only: `?` includes it.

export interface KeyPress {
  readonly key: string;
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
  readonly isComposing: boolean;
  getModifierState(name: string): boolean;
}

/** Keys that the browser or text editing needs. */
const RESERVED = new Set(
  "Escape Mod+N Mod+T Mod+W Mod+Shift+N Mod+Shift+T Mod+Shift+W Mod+A Mod+C Mod+V Mod+X Mod+Z Mod+Q Mod+R Mod+L".split(" "),
);
const RESERVED_ALONE = new Set(
  "Tab Enter Space Backspace Delete ArrowUp ArrowDown ArrowLeft ArrowRight Home End PageUp PageDown".split(" "),
);
const MODIFIERS = new Set(["Control", "Shift", "Alt", "Meta", "AltGraph", "CapsLock", "Dead", "Process", "Unidentified"]);

export const MAC = /Mac|iP(hone|ad|od)/.test(globalThis.navigator?.platform ?? "");

/** The pressed keys; empty for a modifier alone or while text is being composed. */
export function pressedKeys(event: KeyPress, mac = MAC): string {
  if (event.isComposing || MODIFIERS.has(event.key)) return "";
  const typed = event.getModifierState("AltGraph") || (mac && event.altKey && !event.metaKey && !event.ctrlKey);
  const key = typed && event.key.length === 1 ? event.key : keyOf(event);
  const steps: string[] = [];
  if (!typed || key.length > 1) {
    if (mac ? event.metaKey : event.ctrlKey) steps.push("Mod");
    if (mac && event.ctrlKey) steps.push("Ctrl");
    if (!mac && event.metaKey) steps.push("Meta");
    if (event.altKey) steps.push("Alt");
  }
  if (event.shiftKey && (key.length > 1 || /[A-Z]/.test(key))) steps.push("Shift");
  return [...steps, key].join("+");
}

/** The key's name; on a layout without Latin letters, the one of the Latin layout. */
function keyOf({ key, code, ctrlKey, metaKey, altKey }: KeyPress): string {
  if (key === " ") return "Space";
  if (key.length > 1) return key;
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  const foreign = !/[\x21-\x7e]/.test(key);
  if (letter !== undefined && (foreign || (altKey && (ctrlKey || metaKey)))) return letter;
  return key.toUpperCase();
}

/** True for keys that type a character. */
export function typesText(keys: string): boolean {
  return keyParts(keys).every((part) => [...part].length === 1 || part === "Shift" || part === "Space");
}

/** True for keys that Éclair may use. */
export function isAllowed(keys: string): boolean {
  const alone = keyParts(keys).filter((part) => part !== "Shift");
  return !RESERVED.has(keys) && !(alone.length === 1 && RESERVED_ALONE.has(alone[0] ?? ""));
}

/** The keys of `Mod+Shift+O`; the key itself may be a plus. */
export function keyParts(keys: string): string[] {
  if (keys.endsWith("+")) return [...keys.slice(0, -1).split("+").filter((part) => part !== ""), "+"];
  return keys.split("+").filter((part) => part !== "");
}
