// Results of `run_python`, and the files that they name.

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

const LATE = "The call took longer than 180 seconds and was stopped.";
const NOTHING = { output: "", error: "", sentence: "", line: null, lost: false, wants: null, files: [] };

test("a result is output, a traceback or both", () => {
  assert.deepEqual(pythonResult("Output:\n76\n\nFiles made: none"), { ...NOTHING, output: "76" });
  assert.deepEqual(pythonResult("Output:\n(nothing)\n\nFiles made: none"), NOTHING);
  const error = "Traceback (most recent call last):\nZeroDivisionError: division by zero";
  const both = `Output:\n1\n\nError in line 2:\n${error}\n\nFiles made: none`;
  assert.deepEqual(pythonResult(both), { ...NOTHING, output: "1", error, line: 2 });
  assert.deepEqual(pythonResult(`Error:\n${error}\n\nFiles made: none`), { ...NOTHING, error });
});

test("a call that wasn't run, or didn't end, says why in one sentence", () => {
  const sentences = [
    LATE,
    "The disk that holds /data/eclair.db is full; free some space and try again.",
    "There is no room for sums.csv; the limit is 100 MB.",
    "The arguments are not right. code: Field required. Call again with JSON that fits the tool's parameters.",
    "This call isn't allowed here.",
    "No further calls can be made now; answer from what you know.",
  ];
  for (const sentence of sentences) assert.deepEqual(pythonResult(`Error: ${sentence}`), { ...NOTHING, sentence });
});

test("an error of the interpreter that has neither line nor traceback is a sentence", () => {
  const sentence = "TimeoutError: stopped after 120 seconds";
  assert.deepEqual(pythonResult(`Error:\n${sentence}\n\nFiles made: none`), { ...NOTHING, sentence });
  assert.deepEqual(pythonResult(`Output:\n1\n\nError:\n${sentence}\n\nFiles made: none`), { ...NOTHING, output: "1", sentence });
});

test("what another result says is kept as it is", () => {
  const sentence = "The person declined this call.";
  assert.deepEqual(pythonResult(sentence), { ...NOTHING, sentence });
  assert.deepEqual(pythonResult(""), NOTHING);
});
