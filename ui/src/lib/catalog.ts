// The catalog of models: filters, and the facts about a model.

import type { Capability, CatalogModel } from "../api/models.ts";
import { countryNames, languageName } from "./i18n/names.ts";
import { formatNumber, locale, t } from "./i18n/translate.ts";

export interface CatalogFilter {
  readonly words: string;
  readonly fits: boolean;
  readonly can: Capability | "";
  readonly language: string;
}

/** The models that match the filter and aren't installed, in the catalog's order. */
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

/** The speed expected on this machine, where it is known; a limit from memory alone isn't shown. */
export function expectedSpeed({ expected }: CatalogModel): string {
  if (expected === null || expected.basis === "limit") return "";
  return t("speedExpected", { rate: formatNumber(expected.rate, { maximumSignificantDigits: 2 }) });
}

/** A model that fits in place of one that doesn't: the largest of the same maker, else the largest European one. */
export function alternativeModel(model: CatalogModel, models: readonly CatalogModel[]): CatalogModel | undefined {
  const fit = models.filter((other) => other.fits === true && other.id !== model.id);
  const sameMaker = fit.filter(({ maker }) => maker === model.maker);
  const candidates = sameMaker.length > 0 ? sameMaker : fit.filter(({ european }) => european);
  return candidates.reduce<CatalogModel | undefined>((best, other) => ((other.size ?? 0) > (best?.size ?? -1) ? other : best), undefined);
}

/** The languages that any model lists, by code, sorted by name. */
export function catalogLanguages(models: readonly CatalogModel[]): (readonly [code: string, name: string])[] {
  const codes = new Set(models.flatMap(({ languages }) => languages.map(codeOf)));
  const order = new Intl.Collator(locale());
  return [...codes].map((code) => [code, languageName(code)] as const).sort((a, b) => order.compare(a[1], b[1]));
}

function codeOf(tag: string): string {
  return tag.toLowerCase().split("-")[0] ?? "";
}

/** Without case and accents, so that hasty typing finds it. */
function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
