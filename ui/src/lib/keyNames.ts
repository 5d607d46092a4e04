// Keys as they are labelled on the person's keyboard.

import { t } from "./i18n/translate.ts";
import { keyParts, MAC } from "./shortcuts.ts";

const ARROWS: Readonly<Record<string, string>> = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };

/** The separator between two keys. */
export const KEY_SEPARATOR = MAC ? "" : "+";

/** The keys of `Mod+Shift+O`: ⌘ ⇧ O, or Ctrl Shift O. */
export function keyCaps(keys: string): string[] {
  return keyParts(keys).map((part) => cap(part));
}

/** The keys in one text. */
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
