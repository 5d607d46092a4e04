// Keys as they are written on the keyboard of who reads it.

import { say } from "./i18n/translate.ts";
import { MAC, parts } from "./shortcuts.ts";

const ARROWS: Readonly<Record<string, string>> = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };

/** What stands between two caps. */
export const JOINT = MAC ? "" : "+";

/** The caps of `Mod+Shift+O`: ⌘ ⇧ O, or Ctrl Shift O. */
export function caps(keys: string): string[] {
  return parts(keys).map((part) => cap(part));
}

/** The caps in one text. */
export function written(keys: string): string {
  return keys === "" ? say("noKeys") : caps(keys).join(JOINT);
}

function cap(part: string): string {
  switch (part) {
    case "Mod":
      return MAC ? "⌘" : say("keyCtrl");
    case "Ctrl":
      return MAC ? "⌃" : say("keyCtrl");
    case "Alt":
      return MAC ? "⌥" : say("keyAlt");
    case "Shift":
      return MAC ? "⇧" : say("keyShift");
    case "Enter":
      return say("keyEnter");
    case "Escape":
      return say("keyEscape");
    case "Space":
      return say("keySpace");
    default:
      return ARROWS[part] ?? part;
  }
}
