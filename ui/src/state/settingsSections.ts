// The sections of the settings, in their order, for the page and for the command palette.

import type { PlainKey } from "../lib/i18n/translate.ts";

export interface Section {
  readonly id: string;
  readonly label: PlainKey;
}

export const SECTIONS = [
  { id: "language", label: "language" },
  { id: "appearance", label: "appearance" },
  { id: "writing", label: "writing" },
  { id: "model", label: "model" },
  { id: "models", label: "downloads" },
  { id: "libraries", label: "libraries" },
  { id: "feeds", label: "feeds" },
  { id: "engines", label: "engines" },
  { id: "prompts", label: "prompts" },
  { id: "keyboard", label: "keyboard" },
  { id: "data", label: "data" },
  { id: "egress", label: "egress" },
  { id: "usage", label: "usage" },
  { id: "about", label: "about" },
] as const satisfies readonly Section[];
