// Saved prompts: their names, and the `{{variables}}` to fill in before they are inserted.

import type { PlainKey } from "./i18n/translate.ts";
import type { PromptText } from "../api/prompts.ts";

const VARIABLE = /\{\{\s*([^{}]{1,60}?)\s*\}\}/g;
const NAME = /^[^\s/]{1,40}$/u;

/** A text with blanks: asked for in a form, then written. */
export interface BlankText {
  readonly name: string;
  readonly blanks: readonly { readonly name: string; readonly label: string; readonly hint: string; readonly required: boolean }[];
  /** The text with its blanks filled in; may have to be fetched. */
  write(values: Readonly<Record<string, string>>): string | Promise<string>;
}

/** A saved prompt as such a text. */
export function blankText({ name, text }: PromptText): BlankText {
  const blanks = promptVariables(text).map((variable) => ({ name: variable, label: variable, hint: "", required: false }));
  return { name, blanks, write: (values) => fillPrompt(text, values) };
}

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
