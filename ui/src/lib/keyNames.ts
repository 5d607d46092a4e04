// Keys as they are written on the keyboard of who reads it.

import { t } from "./i18n/translate.ts";
import { keyParts, MAC } from "./shortcuts.ts";

const ARROWS: Readonly<Record<string, string>> = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };

/** What stands between two caps. */
export const KEY_SEPARATOR = MAC ? "" : "+";

/** The caps of `Mod+Shift+O`: ⌘ ⇧ O, or Ctrl Shift O. */
export function keyCaps(keys: string): string[] {
  return keyParts(keys).map((part) => cap(part));
}

/** The caps in one text. */
export function keyLabel(keys: string): string {
  return keys === "" ? t("noKeys") : keyCaps(keys).join(KEY_SEPARATOR);
}

function cap(part: string): string {
  switch (part) {
    case "Mod":
      return MAC ? "⌘" : t("keyCtrl");
    case "Ctrl":
      return MAC ? "⌃" : t("keyCtrl");
    case "Alt":
      return MAC ? "⌥" : t("keyAlt");
    case "Shift":
      return MAC ? "⇧" : t("keyShift");
    case "Enter":
      return t("keyEnter");
    case "Escape":
      return t("keyEscape");
    case "Space":
      return t("keySpace");
    default:
      return ARROWS[part] ?? part;
  }
}
