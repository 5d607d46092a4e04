// The catalog of models: filters, and the facts about a model.

import type { Capability, CatalogModel, Download, ModelChoice } from "../api/models.ts";
import { formatBytes, formatDuration } from "./format.ts";
import { countryNames, languageName } from "./i18n/names.ts";
import { currentLanguage, formatNumber, locale, type PlainKey, t } from "./i18n/translate.ts";

/** Languages that are named before the rest is counted. */
const MAX_NAMED_LANGUAGES = 3;
const CHOICE_ABILITIES: readonly (readonly [Capability, PlainKey])[] = [
  ["vision", "canSee"],
  ["tools", "canTools"],
];

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

/** The facts about a suggested model: download, memory, speed, languages and abilities. */
export function choiceFacts({ model, words_per_second, measured, seconds }: ModelChoice): string[] {
  const rate = formatNumber(Math.max(1, Math.round(words_per_second)));
  return [
    model.installed || model.size === null ? "" : formatBytes(model.size - model.part),
    seconds === null ? "" : t("pullLine", { time: formatDuration(seconds) }),
    model.memory === null ? "" : t("needsMemory", { memory: formatBytes(model.memory) }),
    measured ? t("speed", { rate }) : t("choiceSpeed", { rate }),
    describeLanguages(model.languages),
    ...CHOICE_ABILITIES.filter(([ability]) => model.can.includes(ability)).map(([, label]) => t(label)),
  ].filter((text) => text !== "");
}

/** The languages by name, that of the page first; of many, the first few and how many more there are. */
export function describeLanguages(tags: readonly string[]): string {
  const codes = [...new Set(tags.map(codeOf))];
  const own = codeOf(currentLanguage());
  codes.sort((a, b) => Number(b === own) - Number(a === own));
  const named = codes.slice(0, MAX_NAMED_LANGUAGES).map(languageName).join(", ");
  return codes.length <= MAX_NAMED_LANGUAGES ? named : `${named} +${formatNumber(codes.length - MAX_NAMED_LANGUAGES)}`;
}

/** The progress of a download in a few words: `62 % · 2 min left`. */
export function downloadProgress({ stage, done, total, left }: Download): string {
  switch (stage) {
    case "wait":
      return t("pullWait");
    case "find":
      return t("pullFind");
    case "pause":
      return t("pullPause");
    case "download": {
      const figures = [total > 0 ? formatNumber(done / total, { style: "percent" }) : formatBytes(done)];
      if (left !== null && total > 0) figures.push(t("pullLeft", { time: formatDuration(left) }));
      return figures.join(" · ");
    }
    default:
      return t("pullCheck");
  }
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
