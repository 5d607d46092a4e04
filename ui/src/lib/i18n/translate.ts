// The page's texts in its language. English is built in, the texts of parts that are loaded when needed come with
// those; other languages are loaded when needed. `{name}` is a
// placeholder; a text with `{count}` has a form for each plural category of the language.

import { createSubscriber } from "svelte/reactivity";
import en from "./en.json";
import type { Placeholders, PluralKey } from "./keys.ts";

/** A text for each plural category of the language; `other` always exists. */
export type Plural = { readonly [category in Intl.LDMLPluralRule]?: string } & { readonly other: string };

export type Key = keyof Placeholders;

/** All texts in one language. */
export type Translation = { readonly [K in Key]: K extends PluralKey ? Plural : string };

type Values<K extends Key> = [Placeholders[K]] extends [never] ? [] : [{ readonly [name in Placeholders[K]]: string | number }];

/** A key whose text has no placeholders. */
export type PlainKey = { [K in Key]: [Placeholders[K]] extends [never] ? K : never }[Key];

/** Locales for numbers, dates and plurals where the language alone would mean another country's. */
const LOCALES: Readonly<Record<string, string>> = { pt: "pt-PT" };

/** Languages that set a space before the ellipsis of left-out words. */
const SPACED_ELLIPSIS: ReadonlySet<string> = new Set(["de", "sl"]);

let english: Translation = en;
let texts = english;
let language = "en";
let plural = new Intl.PluralRules(language);
const listeners = new Set<() => void>();
/** Runs the effect or template that calls it again when the language changes. */
const subscribe = createSubscriber((update) => {
  listeners.add(update);
  return () => listeners.delete(update);
});

/** The text of `key` with its placeholders filled in; numbers are formatted for the language. */
export function t<K extends Key>(key: K, ...[values]: Values<K>): string {
  subscribe();
  const given: Readonly<Record<string, string | number>> = values ?? {};
  const found: string | Plural = texts[key];
  const text = typeof found === "string" ? found : (found[plural.select(Number(given["count"]))] ?? found.other);
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = given[name];
    return typeof value === "number" ? formatNumber(value) : (value ?? "");
  });
}

export function formatNumber(value: number, options?: Intl.NumberFormatOptions): string {
  subscribe();
  return new Intl.NumberFormat(localeOf(language), options).format(value);
}

/** The code of the page's language. */
export function currentLanguage(): string {
  subscribe();
  return language;
}

/** The page's language as a BCP 47 tag for `Intl`. */
export function locale(): string {
  return localeOf(currentLanguage());
}

/** The tag for dates and times: in English day before month, and 24 hours. */
export function dateLocale(): string {
  const tag = locale();
  return tag === "en" ? "en-GB" : tag;
}

/** `24 November 2026`: the date of a time in milliseconds, in the local or the given time zone. */
export function formatDay(moment: number, timeZone?: string): string {
  return new Intl.DateTimeFormat(dateLocale(), { dateStyle: "long", ...(timeZone !== undefined && { timeZone }) }).format(moment);
}

/** Add English texts to those that are known. */
export function addEnglish(more: Partial<Translation>): void {
  const shown = texts === english;
  english = { ...english, ...more };
  if (shown) texts = english;
}

/** All English texts that are known by now. */
export function englishTexts(): Translation {
  return english;
}

function localeOf(code: string): string {
  return LOCALES[code] ?? code;
}

/** `text` with an ellipsis as the language spaces it: something goes on, or more opens. */
export function withEllipsis(text: string): string {
  return SPACED_ELLIPSIS.has(currentLanguage()) ? `${text} …` : `${text}…`;
}

/** Switch to another language. */
export function setLanguage(chosen: string, translation: Translation): void {
  language = chosen;
  texts = translation;
  plural = new Intl.PluralRules(localeOf(chosen));
  for (const update of listeners) update();
}
