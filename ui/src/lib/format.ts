// Formats sizes, times, energy and money for people, in the page's language.

import type { Cost } from "../api/events.ts";
import { dateLocale, formatNumber, t } from "./i18n/translate.ts";

const KWH = 3_600_000;

/** `3.2 J`, `≈ 1.25 Wh`, `2.1 kWh`; a watt-hour is 3,600 joules. */
export function formatEnergy(joules: number, estimated: boolean): string {
  const hours = joules / 3600;
  const text = joules < 1000 ? unit(joules, "J") : hours < 1000 ? unit(hours, "Wh") : unit(joules / KWH, "kWh");
  return estimated ? `≈\u00a0${text}` : text;
}

export function formatCO2(grams: number): string {
  return grams < 1000 ? unit(grams, "g") : unit(grams / 1000, "kg");
}

/** To the cent, and below a hundredth to two digits. */
export function formatMoney({ micros, currency }: Cost): string {
  const amount = micros / 1e6;
  const fraction = amount === 0 || amount >= 1 ? 2 : Math.max(2, 1 - Math.floor(Math.log10(amount)));
  return formatNumber(amount, { style: "currency", currency, minimumFractionDigits: 2, maximumFractionDigits: fraction });
}

/** About three significant digits, with a non-breaking space before the unit. */
function unit(value: number, name: string): string {
  const digits = value < 1 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: value >= 100 ? 0 : value >= 10 ? 1 : 2 };
  return `${formatNumber(value, digits)}\u00a0${name}`;
}

const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** `2.1 GB`, as the language writes it. */
export function formatBytes(count: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), SIZES.length - 1);
  const value = count / 1000 ** power;
  const unitDisplay = power === 0 ? "long" : "short"; // the short form has no plural in some languages
  return formatNumber(value, { style: "unit", unit: SIZES[power] ?? "byte", unitDisplay, maximumFractionDigits: value < 10 && power > 1 ? 1 : 0 });
}

/** The size of a file in binary units, as file managers write it: `2.1 MB` is 2.1 × 1024 × 1024 bytes. */
export function formatFileSize(size: number): string {
  const [value, unit] =
    size < 1000 ? [size, "byte"] : size < 1000 * 1024 ? [size / 1024, "kilobyte"] : [size / 1024 / 1024, "megabyte"];
  const unitDisplay = unit === "byte" ? "long" : "short"; // the short form has no plural in some languages
  return formatNumber(value, { style: "unit", unit, unitDisplay, maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** `4 min`, as the language writes it. */
export function formatDuration(seconds: number): string {
  const [value, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  return formatNumber(Math.max(1, Math.round(value)), { style: "unit", unit, unitDisplay: "short" });
}

/** `412 ms`, `2.1 s`. */
export function formatMilliseconds(milliseconds: number): string {
  if (milliseconds < 1000) return formatNumber(milliseconds, { style: "unit", unit: "millisecond", maximumFractionDigits: 0 });
  return t("seconds", { seconds: formatNumber(milliseconds / 1000, { minimumFractionDigits: 1, maximumFractionDigits: 1 }) });
}

/** The time of a message: with its day unless that is today, and with its year unless that is this one. */
export function formatMessageTime(moment: number, now: number): string {
  const [then, today] = [new Date(moment), new Date(now)];
  const options: Intl.DateTimeFormatOptions = { hour: "numeric", minute: "2-digit" };
  if (then.toDateString() !== today.toDateString()) Object.assign(options, { day: "numeric", month: "short" });
  if (then.getFullYear() !== today.getFullYear()) options.year = "numeric";
  return new Intl.DateTimeFormat(dateLocale(), options).format(then);
}
