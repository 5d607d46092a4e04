// Energy, carbon and money in readable units; old answers have neither.

import assert from "node:assert/strict";
import { test } from "vitest";
import { formatCO2, formatEnergy, formatMessageTime, formatMoney } from "../src/lib/format.ts";
import { answerSummary } from "../src/lib/answer.ts";
import type { Usage } from "../src/api/events.ts";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

test("energy is in the unit that suits it", () => {
  assert.equal(plain(formatEnergy(0.0312, false)), "0.031 J");
  assert.equal(plain(formatEnergy(3.204, true)), "≈ 3.2 J");
  assert.equal(plain(formatEnergy(999, false)), "999 J");
  assert.equal(plain(formatEnergy(4500, true)), "≈ 1.25 Wh");
  assert.equal(plain(formatEnergy(7_560_000, false)), "2.1 kWh");
});

test("carbon is in grams and kilograms", () => {
  assert.equal(plain(formatCO2(0.002)), "0.002 g");
  assert.equal(plain(formatCO2(1530)), "1.53 kg");
});

test("money is to the cent, and small amounts to two digits", () => {
  assert.equal(formatMoney({ micros: 0, currency: "EUR" }), "€0.00");
  assert.equal(formatMoney({ micros: 1280, currency: "EUR" }), "€0.0013");
  assert.equal(formatMoney({ micros: 1, currency: "EUR" }), "€0.000001");
  assert.equal(formatMoney({ micros: 12_400_000, currency: "EUR" }), "€12.40");
});

test("the line below an answer says model and speed, or its time where there was no speed", () => {
  const old = { prompt_tokens: 1, cached_tokens: 0, completion_tokens: 2, first_word_ms: 100, words: 2, words_per_second: null } as Usage;
  const names = new Map([["muse", "Muse 3"]]);
  assert.equal(answerSummary({ usage: { ...old, words_per_second: 98.4 }, model: "muse" }, names), "Muse 3 · 98 words/s");
  assert.equal(answerSummary({ usage: { ...old, words_per_second: 3.44 }, model: "muse" }, names), "Muse 3 · 3.4 words/s");
  assert.equal(answerSummary({ usage: { ...old, seconds: 4.2 }, model: "muse" }, names), "Muse 3 · 4.2 s");
  assert.equal(answerSummary({ usage: old, model: "other" }, names), "other");
  assert.equal(answerSummary({ usage: null, model: null }, names), "");
});

test("a message's time has its day unless that is today, and its year unless that is this one", () => {
  const now = new Date(2026, 10, 28, 18, 0).getTime();
  const at = (...when: [number, number, number, number, number]) => formatMessageTime(new Date(...when).getTime(), now);
  assert.match(at(2026, 10, 28, 9, 5), /^0?9:05/);
  assert.match(at(2026, 10, 27, 9, 5), /27.*9:05|9:05.*27/);
  assert.doesNotMatch(at(2026, 10, 27, 9, 5), /2026/);
  assert.match(at(2025, 10, 28, 9, 5), /2025/);
});
