// Energy, carbon and money as people read them.

import type { Cost } from "../api/events.ts";
import { number } from "./i18n/translate.ts";

const KWH = 3_600_000;

/** `3.2 J`, `≈ 1.25 Wh`, `2.1 kWh`; a watt-hour is 3,600 joules. */
export function energy(joules: number, estimated: boolean): string {
  const hours = joules / 3600;
  const text = joules < 1000 ? unit(joules, "J") : hours < 1000 ? unit(hours, "Wh") : unit(joules / KWH, "kWh");
  return estimated ? `≈\u00a0${text}` : text;
}

export function co2(grams: number): string {
  return grams < 1000 ? unit(grams, "g") : unit(grams / 1000, "kg");
}

/** To the cent, and below a hundredth to two digits. */
export function money({ micros, currency }: Cost): string {
  const amount = micros / 1e6;
  const fraction = amount === 0 || amount >= 1 ? 2 : Math.max(2, 1 - Math.floor(Math.log10(amount)));
  return number(amount, { style: "currency", currency, minimumFractionDigits: 2, maximumFractionDigits: fraction });
}

/** About three digits that count, on one line with their unit. */
function unit(value: number, name: string): string {
  const digits = value < 1 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: value >= 100 ? 0 : value >= 10 ? 1 : 2 };
  return `${number(value, digits)}\u00a0${name}`;
}
