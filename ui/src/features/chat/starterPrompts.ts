// The suggestions of a new chat, by what the model is capable of.

import type { Model } from "../../api/models.ts";
import type { PlainKey } from "../../lib/i18n/translate.ts";

export interface Suggestion {
  readonly name: PlainKey;
  readonly text: PlainKey;
  /** Only for a model that isn't small. */
  readonly capable?: true;
  /** A language that the model must know besides that of the page. */
  readonly language?: string;
}

/** What is needed of a model. */
type ModelFacts = Pick<Model, "languages" | "size">;

/** The most demanding come first: the first three that fit are shown. */
const SUGGESTIONS: readonly Suggestion[] = [
  { name: "compare", text: "compareText", capable: true },
  { name: "plan", text: "planText", capable: true },
  { name: "translate", text: "translateText", capable: true, language: "fr" },
  { name: "explain", text: "explainText" },
  { name: "write", text: "writeText" },
  { name: "gather", text: "gatherText" },
];
const MAX_SUGGESTIONS = 3;
/** Smaller files hold models of under about three billion parameters. */
const MIN_CAPABLE_BYTES = 1_800_000_000;

/** What to suggest for `model`; null where the model is still unknown. */
export function suggestionsFor(model: ModelFacts | null): readonly Suggestion[] {
  return SUGGESTIONS.filter(({ capable, language }) => (capable !== true || isCapable(model)) && (language === undefined || knows(model, language))).slice(0, MAX_SUGGESTIONS);
}

/** True where the model is known not to speak the page's language. */
export function isForeign<M extends ModelFacts>(model: M | null, language: string): model is M {
  return !knows(model, language);
}

function isCapable(model: ModelFacts | null): boolean {
  if (model === null) return false;
  const onlyEnglish = model.languages.length > 0 && model.languages.every((tag) => codeOf(tag) === "en");
  return !onlyEnglish && (model.size === null || model.size >= MIN_CAPABLE_BYTES);
}

/** A model that lists no languages may know any. */
function knows(model: ModelFacts | null, language: string): boolean {
  return model === null || model.languages.length === 0 || model.languages.some((tag) => codeOf(tag) === codeOf(language));
}

function codeOf(tag: string): string {
  return tag.toLowerCase().split("-")[0] ?? "";
}
