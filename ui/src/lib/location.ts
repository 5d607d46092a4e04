// Where a model answers, in words.

import { locale, say } from "./i18n/translate.ts";

/** `place` is `machine`, `network`, `unknown`, or the ISO code of a country. */
export function placed(place: string): string {
  switch (place) {
    case "machine":
      return say("thisMachine");
    case "network":
      return say("thisNetwork");
    case "unknown":
      return say("placeUnknown");
    default:
      return country(place);
  }
}

/** The country in the words of the language; a code that has none stays. */
export function country(code: string): string {
  return new Intl.DisplayNames([locale()], { type: "region" }).of(code) ?? code;
}

/** The model with the place where it answers, unless that is the very machine. */
export function located({ name, place }: { readonly name: string; readonly place: string }): string {
  return place === "machine" ? name : `${name} · ${placed(place)}`;
}
