// Imports follow the layers api, lib, state, components, features, each importing only those before it, and make no
// cycles.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { test } from "vitest";

const SOURCES = join(import.meta.dirname, "../src");
const LAYERS = ["api", "lib", "state", "components", "features"];
const IMPORT = /(?:from|import|import\()\s*"(\.[^"?]+)/g;

/** The page's files, each with the files that it imports, types included. Workers are programs of their own. */
const files = new Map(
  readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|svelte)$/.test(name))
    .map((name) => {
      const source = readFileSync(join(SOURCES, name), "utf8");
      const imported = [...source.matchAll(IMPORT)].map(([, path]) => relative(SOURCES, join(SOURCES, dirname(name), path ?? "")));
      return [name, imported] as const;
    }),
);

/** Entry points are above all layers. */
function layer(name: string): number {
  const found = LAYERS.indexOf(name.split(sep)[0] ?? "");
  return found === -1 ? LAYERS.length : found;
}

/** The first cycle that a walk from `name` finds; null where there is none. */
function circleFrom(name: string, path: readonly string[], cleared: Set<string>): readonly string[] | null {
  if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
  if (cleared.has(name)) return null;
  for (const next of files.get(name) ?? []) {
    const circle = circleFrom(next, [...path, name], cleared);
    if (circle !== null) return circle;
  }
  cleared.add(name);
  return null;
}

test("files are found, and what they import", () => {
  assert.deepEqual(new Set([...files.keys()].map(layer)), new Set([0, 1, 2, 3, 4, 5]));
  assert.ok(files.get("main.ts")?.includes("App.svelte"));
  assert.ok(files.get(join("features", "chat", "Answer.svelte"))?.length);
});

test("imports point to the same layer or one before it", () => {
  const upward = [...files].flatMap(([name, imported]) => imported.filter((other) => layer(other) > layer(name)).map((other) => `${name} -> ${other}`));
  assert.deepEqual(upward, []);
});

test("imports make no cycles", () => {
  const cleared = new Set<string>();
  for (const name of files.keys()) assert.equal(circleFrom(name, [], cleared), null);
});
