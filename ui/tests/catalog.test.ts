// The catalog: searches, alternatives, and sizes, times and speeds in words.

import assert from "node:assert/strict";
import { test } from "vitest";
import { formatBytes, formatDuration } from "../src/lib/format.ts";
import type { CatalogModel } from "../src/api/models.ts";
import { alternativeModel, type CatalogFilter, catalogLanguages, expectedSpeed, filterCatalog } from "../src/lib/catalog.ts";

const NONE: CatalogFilter = { words: "", fits: false, can: "", language: "" };

function model(id: string, more: Partial<CatalogModel> = {}): CatalogModel {
  return {
    ...{ id, name: id, maker: "Maker", country: "FR", european: true, license: "MIT", restricts: "", weights: "open" },
    ...{ parameters: null, context: null, languages: [], can: [], card: null, options: [], quant: "Q4_0", reason: "only" },
    ...{ released: null, active: null, engines: ["llama.cpp"], speculation: null, quirks: "" },
    ...{ part: 0, size: 1, memory: 1, fits: true, expected: null, installed: false, loaded: false, known: true },
    ...more,
  };
}

const MODELS = [
  model("here", { installed: true }),
  model("lumiere", { name: "Lumière 3B", can: ["tools", "vision"], languages: ["fr", "pt-BR"], size: 3 }),
  model("huge", { fits: false, size: 90 }),
  model("odd", { maker: "Other", country: "US, DE", european: false, fits: null, languages: ["de"], size: 50 }),
];

function ids(filter: Partial<CatalogFilter>): string[] {
  return filterCatalog(MODELS, { ...NONE, ...filter }).map(({ id }) => id);
}

test("a search finds names, makers and countries, without accents, among models that aren't installed", () => {
  assert.deepEqual(ids({}), ["lumiere", "huge", "odd"]);
  assert.deepEqual(ids({ words: " LUMIERE maker " }), ["lumiere"]);
  assert.deepEqual(ids({ words: "germany" }), ["odd"]);
  assert.deepEqual(ids({ words: "none" }), []);
  assert.deepEqual(ids({ fits: true }), ["lumiere"]);
  assert.deepEqual(ids({ can: "vision" }), ["lumiere"]);
  assert.deepEqual(ids({ language: "pt" }), ["lumiere"]);
  assert.deepEqual(catalogLanguages(MODELS).map(([code]) => code), ["fr", "de", "pt"]);
});

test("the alternative is the largest of its maker that fits, else of Europe", () => {
  const [, lumiere, huge, odd] = MODELS;
  assert.ok(lumiere !== undefined && huge !== undefined && odd !== undefined);
  assert.equal(alternativeModel(huge, MODELS)?.id, "lumiere");
  assert.equal(alternativeModel({ ...odd, fits: false }, MODELS)?.id, "lumiere");
  assert.equal(alternativeModel(huge, [huge, odd]), undefined);
});

test("sizes, times and speeds have readable units", () => {
  assert.deepEqual([0, 999, 1_000, 2_147_023_008, 12e9, 3e15].map(formatBytes), ["0 bytes", "999 bytes", "1 kB", "2.1 GB", "12 GB", "3,000 TB"]);
  assert.deepEqual([0.2, 89, 240, 7200].map(formatDuration), ["1 sec", "89 sec", "4 min", "2 hr"]);
  assert.equal(expectedSpeed(model("a", { expected: { rate: 47.3, basis: "measured" } })), "about 47 tokens/s");
  assert.equal(expectedSpeed(model("a", { expected: { rate: 47.3, basis: "limit" } })), "");
  assert.equal(expectedSpeed(model("a")), "");
});
