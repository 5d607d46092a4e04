// The location of a model, in words.

import { t } from "./i18n/translate.ts";
import { countryName } from "./i18n/names.ts";

/** `place` is `machine`, `network`, `unknown`, or the ISO code of a country. */
export function locationName(place: string): string {
  switch (place) {
    case "machine":
      return t("thisMachine");
    case "network":
      return t("thisNetwork");
    case "unknown":
      return t("placeUnknown");
    default:
      return countryName(place);
  }
}

/** The model with its location, unless that is this machine. */
export function modelLabel({ name, place }: { readonly name: string; readonly place: string }): string {
  return place === "machine" ? name : `${name} · ${locationName(place)}`;
}
