// Stands for lib/markdown/typesetter.ts in an exported file, which can't start a worker.

import type { Run } from "../lib/markdown/typesetting.ts";
import { scripts } from "./scripts.ts";

/** It failed; the text stays as it is. */
export class TypesettingFailed extends Error {}

export function highlightCode(grammar: string, text: string): Promise<readonly Run[]> {
  return attempt(scripts.highlightCode?.(grammar, text));
}

export function renderFormula(tex: string, display: boolean): Promise<string> {
  return attempt(scripts.renderFormula?.(tex, display));
}

async function attempt<T>(work: Promise<T> | undefined): Promise<T> {
  if (work === undefined) throw new TypesettingFailed("The file was made without what would typeset this.");
  try {
    return await work;
  } catch (error) {
    throw new TypesettingFailed(error instanceof Error ? error.message : String(error));
  }
}
