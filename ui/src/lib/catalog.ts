// The catalog of models: searching it, and what is said of a model in it.

import type { Capability, CatalogModel } from "../api/models.ts";
import { countryNames, languageName } from "./i18n/names.ts";
import { formatNumber, locale, t } from "./i18n/translate.ts";

export interface CatalogFilter {
  readonly words: string;
  readonly fits: boolean;
  readonly can: Capability | "";
  readonly language: string;
}

/** The models that are not here and that the filter lets through, in the catalogue's order. */
export function filterCatalog(models: readonly CatalogModel[], { words, fits, can, language }: CatalogFilter): CatalogModel[] {
  const wanted = plain(words).split(/\s+/).filter((word) => word !== "");
  return models.filter(
    (model) =>
      !model.installed &&
      (!fits || model.fits === true) &&
      (can === "" || model.can.includes(can)) &&
      (language === "" || model.languages.some((tag) => codeOf(tag) === language)) &&
      wanted.every((word) => plain(`${model.name} ${model.id} ${model.maker} ${model.license} ${countryNames(model.country)}`).includes(word)),
  );
}

/** How fast the model would write here, where that is known; what memory alone would allow is not. */
export function expectedSpeed({ expected }: CatalogModel): string {
  if (expected === null || expected.basis === "limit") return "";
  return t("speedExpected", { rate: formatNumber(expected.rate, { maximumSignificantDigits: 2 }) });
}

/** What would fit in place of a model that does not: the largest of its makers', else the largest European one. */
export function alternativeModel(model: CatalogModel, models: readonly CatalogModel[]): CatalogModel | undefined {
  const fit = models.filter((other) => other.fits === true && other.id !== model.id);
  const own = fit.filter(({ maker }) => maker === model.maker);
  const among = own.length > 0 ? own : fit.filter(({ european }) => european);
  return among.reduce<CatalogModel | undefined>((best, other) => ((other.size ?? 0) > (best?.size ?? -1) ? other : best), undefined);
}

/** The languages that some model lists, by their codes, in the order of their names. */
export function catalogLanguages(models: readonly CatalogModel[]): (readonly [code: string, name: string])[] {
  const codes = new Set(models.flatMap(({ languages }) => languages.map(codeOf)));
  const order = new Intl.Collator(locale());
  return [...codes].map((code) => [code, languageName(code)] as const).sort((a, b) => order.compare(a[1], b[1]));
}

function codeOf(tag: string): string {
  return tag.toLowerCase().split("-")[0] ?? "";
}

/** Without case and accents, so that what is typed in haste is found. */
function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
