// Files that a result of a tool names.

import assert from "node:assert/strict";
import { test } from "vitest";
import { isAttachable, pythonResult } from "../src/lib/pythonCall.ts";

function named(...names: readonly string[]): readonly string[] {
  const lines = names.map((name) => `- ${name} (text/csv, version 1, 8 bytes)`);
  return pythonResult(`Output:\n1\n\nFiles made:\n${lines.join("\n")}`).files.map(({ name }) => name);
}

test("the files of a result are those that have a name within the conversation", () => {
  assert.deepEqual(named("sums.csv", "out/a b.csv", "..csv"), ["sums.csv", "out/a b.csv", "..csv"]);
  assert.deepEqual(named("../../runs", "out/../x", "./x", "a//b", "/x", ".."), []);
});

test("what nobody could read isn't offered for the next message", () => {
  const file = { name: "sums.csv", media: "text/csv", version: 1, size: 8, alt: "" };
  assert.equal(isAttachable(file), true);
  for (const name of ["chart.png", "report.docx", "all.zip", "notes"]) assert.equal(isAttachable({ ...file, name }), true, name);
  for (const name of ["model.pkl", "all.tar", "all.tar.gz", "x.SQLITE3", "x.npz"]) assert.equal(isAttachable({ ...file, name }), false, name);
  assert.equal(isAttachable({ ...file, size: 0 }), false);
});
