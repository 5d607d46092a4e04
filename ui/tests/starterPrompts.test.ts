import assert from "node:assert/strict";
import { test } from "vitest";
import type { Model } from "../src/api/models.ts";
import { isForeign, suggestionsFor } from "../src/features/chat/starterPrompts.ts";

const model = (size: number | null, ...languages: string[]) => ({ size, languages });

const SIMPLE = ["explain", "write", "gather"];
const names = (of: Pick<Model, "languages" | "size"> | null) => suggestionsFor(of).map(({ name }) => name);

test("a small, an English-only or an unknown model gets simple suggestions", () => {
  for (const simple of [model(98_362_432, "en"), model(98_362_432), model(null, "en"), model(40e9, "en-GB"), null]) assert.deepEqual(names(simple), SIMPLE);
});

test("a larger model gets harder suggestions, in the languages that it knows", () => {
  assert.deepEqual(names(model(null)), ["compare", "plan", "translate"]);
  assert.deepEqual(names(model(14e9, "en", "fr-CA")), ["compare", "plan", "translate"]);
  assert.deepEqual(names(model(null, "de", "en")), ["compare", "plan", "explain"]);
});

test("a language is foreign only to a model that lists others", () => {
  assert.equal(isForeign(model(null, "en", "pt-BR"), "pt"), false);
  assert.equal(isForeign(model(null), "mt"), false);
  assert.equal(isForeign(null, "mt"), false);
  assert.equal(isForeign(model(null, "en"), "mt"), true);
});
