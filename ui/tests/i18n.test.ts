// Every language has every text of the English one, with the same placeholders, and every text is used.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import en from "../src/lib/i18n/en.json";
import { type Plural, setLanguage, t, type Translation, withEllipsis } from "../src/lib/i18n/translate.ts";

const SOURCES = join(import.meta.dirname, "../src");
const languages = import.meta.glob<Translation>("../src/lib/i18n/[a-z][a-z].json", { eager: true, import: "default" });

function placeholders(text: string | Plural): string[] {
  const texts = typeof text === "string" ? [text] : Object.values(text);
  return [...new Set(texts.flatMap((one) => [...one.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "")))].sort();
}

test("every English text is used", () => {
  const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter((name) => /\.(ts|svelte)$/.test(name));
  const sources = files.filter((name) => !/i18n.keys\.ts$/.test(name)).map((name) => readFileSync(join(SOURCES, name), "utf8"));
  const used = new Set(sources.flatMap((source) => [...source.matchAll(/"(\w+)"/g)].map(([, name]) => name)));
  assert.deepEqual(Object.keys(en).filter((key) => !used.has(key)), []);
});

assert.ok(Object.keys(languages).length > 0);
for (const [path, texts] of Object.entries(languages)) {
  const language = path.slice(-"xx.json".length, -".json".length);
  test(`${language} is complete`, () => {
    assert.deepEqual(Object.keys(texts), Object.keys(en));
    const categories = new Intl.PluralRules(language).resolvedOptions().pluralCategories.toSorted();
    for (const key of Object.keys(en) as (keyof Translation)[]) {
      const translated: string | Plural = texts[key];
      assert.deepEqual(placeholders(translated), placeholders(en[key]), key);
      assert.equal(typeof translated, typeof en[key], key);
      if (typeof translated !== "string") assert.deepEqual(Object.keys(translated).toSorted(), categories, key);
    }
  });
}

test("numbers and plurals follow the language", () => {
  assert.equal(t("steps", { count: 1 }), "1 step");
  assert.equal(t("steps", { count: 1234 }), "1,234 steps");
  setLanguage("pl", { ...en, steps: { one: "{count} krok", few: "{count} kroki", many: "{count} kroków", other: "{count} kroku" } });
  assert.equal(t("steps", { count: 3 }), "3 kroki");
  assert.equal(t("steps", { count: 5 }), "5 kroków");
  setLanguage("pt", en);
  assert.equal(t("steps", { count: 1234567 }), "1\u00a0234\u00a0567 steps");
  assert.equal(t("steps", { count: 0 }), "0 steps");
  setLanguage("en", en);
});

test("an ellipsis is spaced as the language does", () => {
  assert.equal(withEllipsis("Thinking"), "Thinking…");
  setLanguage("de", en);
  assert.equal(withEllipsis("Denkt nach"), "Denkt nach …");
  setLanguage("en", en);
});
