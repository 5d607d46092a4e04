// Saved prompts: their names, and the `{{variables}}` to fill in before they are inserted.

import type { PlainKey } from "./i18n/translate.ts";
import type { PromptText } from "../api/prompts.ts";

const VARIABLE = /\{\{\s*([^{}]{1,60}?)\s*\}\}/g;
const NAME = /^[^\s/]{1,40}$/u;

/** The names in double braces, each once, in order. */
export function promptVariables(text: string): string[] {
  return [...new Set([...text.matchAll(VARIABLE)].map(([, name]) => name ?? ""))];
}

/** The text with its variables filled in; a blank one becomes empty. */
export function fillPrompt(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(VARIABLE, (_, name: string) => values[name] ?? "");
}

/** What is wrong with a prompt among `others`. */
export function promptProblem({ name, text }: PromptText, others: readonly PromptText[]): PlainKey | null {
  if (!NAME.test(name)) return "promptNameWrong";
  if (others.some((other) => other.name.toLowerCase() === name.toLowerCase())) return "promptNameTaken";
  return text.trim() === "" ? "promptEmpty" : null;
}
