// Names of languages and countries, in the language of the page.

import { locale } from "./translate.ts";

export function languageName(tag: string): string {
  return new Intl.DisplayNames([locale()], { type: "language" }).of(tag) ?? tag;
}

/** `US, FR` in the words of the language. */
export function countryNames(codes: string | null): string {
  const names = new Intl.DisplayNames([locale()], { type: "region" });
  return (codes ?? "").replace(/\b[A-Z]{2}\b/g, (code) => names.of(code) ?? code);
}

/** The country in the words of the language; a code that has none stays. */
export function countryName(code: string): string {
  return new Intl.DisplayNames([locale()], { type: "region" }).of(code) ?? code;
}
