// Names of languages and countries in the page's language.

import { locale } from "./translate.ts";

export function languageName(tag: string): string {
  return new Intl.DisplayNames([locale()], { type: "language" }).of(tag) ?? tag;
}

/** `US, FR` as country names. */
export function countryNames(codes: string | null): string {
  const names = new Intl.DisplayNames([locale()], { type: "region" });
  return (codes ?? "").replace(/\b[A-Z]{2}\b/g, (code) => names.of(code) ?? code);
}

/** The name of a country; an unknown code stays. */
export function countryName(code: string): string {
  return new Intl.DisplayNames([locale()], { type: "region" }).of(code) ?? code;
}
