// The texts of the page in the language that is chosen. English is built in, every other one is fetched when needed.
// In a text, `{name}` is a placeholder; what depends on `{count}` has a form for each plural category of the language.

import { createSubscriber } from "svelte/reactivity";
import en from "./en.json";
import type { Placeholders, PluralKey } from "./keys.ts";

/** A text for each plural category that the language has; `other` it has always. */
export type Plural = { readonly [category in Intl.LDMLPluralRule]?: string } & { readonly other: string };

export type Key = keyof Placeholders;

/** All texts in one language. */
export type Translation = { readonly [K in Key]: K extends PluralKey ? Plural : string };

type Values<K extends Key> = [Placeholders[K]] extends [never] ? [] : [{ readonly [name in Placeholders[K]]: string | number }];

/** A key whose text has no placeholders, and so can be used wherever it is named. */
export type PlainKey = { [K in Key]: [Placeholders[K]] extends [never] ? K : never }[Key];

/** How numbers, dates and plurals are written where the language alone would mean another country's way. */
const LOCALES: Readonly<Record<string, string>> = { pt: "pt-PT" };

let texts: Translation = en;
let language = "en";
let plural = new Intl.PluralRules(language);
const listeners = new Set<() => void>();
/** Makes whatever calls it in an effect or a template run again when the language changes. */
const subscribe = createSubscriber((update) => {
  listeners.add(update);
  return () => listeners.delete(update);
});

/** The text of `key` with its placeholders filled in; numbers are written as the language writes them. */
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

/** The code of the language that is used. */
export function currentLanguage(): string {
  subscribe();
  return language;
}

/** The same as a BCP 47 tag for `Intl`. */
export function locale(): string {
  return localeOf(currentLanguage());
}

/** `24 November 2026`: the day of a moment in milliseconds, where the person is or in the zone that is named. */
export function formatDay(moment: number, timeZone?: string): string {
  const tag = locale();
  return new Intl.DateTimeFormat(tag === "en" ? "en-GB" : tag, { dateStyle: "long", ...(timeZone !== undefined && { timeZone }) }).format(moment);
}

function localeOf(code: string): string {
  return LOCALES[code] ?? code;
}

/** Use another language from now on. */
export function setLanguage(chosen: string, translation: Translation): void {
  language = chosen;
  texts = translation;
  plural = new Intl.PluralRules(localeOf(chosen));
  for (const update of listeners) update();
}
