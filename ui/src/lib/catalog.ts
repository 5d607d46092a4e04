// The models that could answer on the server's machine, as its catalogue has them; who fits a search, and how figures are said.

import { locale, number, say } from "./i18n/translate.ts";

export type Ability = "tools" | "vision" | "reasoning" | "audio";

export interface Quantisation {
  readonly quant: string;
  readonly size: number | null;
  readonly memory: number | null;
  readonly fits: boolean | null;
}

/** Sizes and memory are bytes; what is unknown is null or empty. */
export interface CatalogModel {
  readonly id: string;
  readonly name: string;
  readonly maker: string;
  /** ISO codes. */
  readonly country: string | null;
  readonly european: boolean;
  readonly licence: string;
  /** What the licence forbids or asks, in English. */
  readonly restricts: string;
  readonly weights: "open" | "gated" | "closed";
  /** Billions. */
  readonly parameters: number | null;
  readonly context: number | null;
  readonly languages: readonly string[];
  readonly can: readonly Ability[];
  readonly card: string | null;
  readonly options: readonly Quantisation[];
  /** The one that is here or would be pulled; null where the embedded engine cannot run the model. */
  readonly quant: string | null;
  readonly reason: "only" | "largest" | "balanced" | "asked" | null;
  /** Bytes of it that have come already. */
  readonly part: number;
  readonly size: number | null;
  readonly memory: number | null;
  readonly fits: boolean | null;
  /** Tokens a second that it would write here: measured, reckoned from others, or what memory allows at most. */
  readonly expected: { readonly rate: number; readonly basis: "measured" | "reckoned" | "limit" } | null;
  readonly installed: boolean;
  readonly loaded: boolean;
  /** Whether the catalogue has it, rather than somebody having put its file there. */
  readonly known: boolean;
}

export interface Catalog {
  /** Of the machine, in bytes. */
  readonly memory: number;
  readonly models: readonly CatalogModel[];
}

export interface Pull {
  readonly id: string;
  readonly asked: string;
  readonly model: string;
  readonly name: string;
  readonly state: "running" | "finished" | "failed" | "cancelled";
  readonly stage: "wait" | "find" | "download" | "check" | "unpack" | "copy" | "pause";
  readonly done: number;
  /** 0 where it cannot be told. */
  readonly total: number;
  /** Bytes a second. */
  readonly rate: number | null;
  /** Seconds. */
  readonly left: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** Who lists a language: models that can be asked now, and the best European one to pull that fits. */
export interface Speakers {
  readonly here: readonly string[];
  readonly offer: CatalogModel | null;
  /** What pulling it takes at the rate of the last download. */
  readonly seconds: number | null;
}

export interface Filter {
  readonly words: string;
  readonly fits: boolean;
  readonly can: Ability | "";
  readonly language: string;
}

/** The models that are not here and that the filter lets through, in the catalogue's order. */
export function offered(models: readonly CatalogModel[], { words, fits, can, language }: Filter): CatalogModel[] {
  const wanted = plain(words).split(/\s+/).filter((word) => word !== "");
  return models.filter(
    (model) =>
      !model.installed &&
      (!fits || model.fits === true) &&
      (can === "" || model.can.includes(can)) &&
      (language === "" || model.languages.some((tag) => codeOf(tag) === language)) &&
      wanted.every((word) => plain(`${model.name} ${model.id} ${model.maker} ${model.licence} ${countries(model.country)}`).includes(word)),
  );
}

/** How fast the model would write here, where that is known; what memory alone would allow is not. */
export function speed({ expected }: CatalogModel): string {
  if (expected === null || expected.basis === "limit") return "";
  return say("speedExpected", { rate: number(expected.rate, { maximumSignificantDigits: 2 }) });
}

/** What would fit in place of a model that does not: the largest of its makers', else the largest European one. */
export function instead(model: CatalogModel, models: readonly CatalogModel[]): CatalogModel | undefined {
  const fit = models.filter((other) => other.fits === true && other.id !== model.id);
  const own = fit.filter(({ maker }) => maker === model.maker);
  const among = own.length > 0 ? own : fit.filter(({ european }) => european);
  return among.reduce<CatalogModel | undefined>((best, other) => ((other.size ?? 0) > (best?.size ?? -1) ? other : best), undefined);
}

/** The languages that some model lists, by their codes, in the order of their names. */
export function languagesOf(models: readonly CatalogModel[]): (readonly [code: string, name: string])[] {
  const codes = new Set(models.flatMap(({ languages }) => languages.map(codeOf)));
  const order = new Intl.Collator(locale());
  return [...codes].map((code) => [code, languageName(code)] as const).sort((a, b) => order.compare(a[1], b[1]));
}

export function languageName(tag: string): string {
  return new Intl.DisplayNames([locale()], { type: "language" }).of(tag) ?? tag;
}

/** `US, FR` in the words of the language. */
export function countries(codes: string | null): string {
  const names = new Intl.DisplayNames([locale()], { type: "region" });
  return (codes ?? "").replace(/\b[A-Z]{2}\b/g, (code) => names.of(code) ?? code);
}

const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** `2.1 GB`, as the language writes it. */
export function bytes(count: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), SIZES.length - 1);
  const value = count / 1000 ** power;
  const unitDisplay = power === 0 ? "long" : "short"; // the short one of some languages has no plural
  return number(value, { style: "unit", unit: SIZES[power] ?? "byte", unitDisplay, maximumFractionDigits: value < 10 && power > 1 ? 1 : 0 });
}

/** `4 min`, as the language writes it. */
export function time(seconds: number): string {
  const [value, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  return number(Math.max(1, Math.round(value)), { style: "unit", unit, unitDisplay: "short" });
}

function codeOf(tag: string): string {
  return tag.toLowerCase().split("-")[0] ?? "";
}

/** Without case and accents, so that what is typed in haste is found. */
function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
