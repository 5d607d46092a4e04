// Figures of plans with their ranges, in the page's language.

import type { Figure } from "../../api/capacity.ts";
import { formatNumber } from "../../lib/i18n/translate.ts";

const PREFIXES = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

/** `2.9 (1.9–5.9) kW`: three digits, and a prefix if there is a unit that takes one. */
export function formatFigure(figure: Figure, unit = "", prefixed = unit !== ""): string {
  const [factor, prefix] = (prefixed ? PREFIXES.find(([least]) => figure.likely >= least) : undefined) ?? [1, ""];
  const [low, likely, high] = [figure.low, figure.likely, figure.high].map((value) => short(value / factor));
  const text = low === high ? likely : `${likely} (${low}–${high})`;
  return unit === "" ? `${text}` : `${text}\u00a0${prefix}${unit}`;
}

/** `310 (290–460) €`: money in thousands, millions or billions where it's much. */
export function formatSum(figure: Figure, currency: string): string {
  const money = (value: number) =>
    formatNumber(value, { style: "currency", currency, notation: value >= 1e5 ? "compact" : "standard", maximumSignificantDigits: 3 });
  const [low, likely, high] = [figure.low, figure.likely, figure.high].map(money);
  return low === high ? `${likely}` : `${likely} (${low}–${high})`;
}

/** A mass in grams, kilograms or tonnes, given in kilograms. */
export function formatMass(figure: Figure): string {
  if (figure.likely < 1) return formatFigure(scaled(figure, 1000), "g", false);
  return figure.likely < 1000 ? formatFigure(figure, "kg", false) : formatFigure(scaled(figure, 0.001), "t", false);
}

export function scaled({ low, likely, high }: Figure, factor: number): Figure {
  return { low: low * factor, likely: likely * factor, high: high * factor };
}

export function short(value: number): string {
  return formatNumber(value, value >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 });
}
