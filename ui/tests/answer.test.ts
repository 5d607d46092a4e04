// The steps of an answer, in words.

import assert from "node:assert/strict";
import { test } from "vitest";
import { stepText } from "../src/lib/answer.ts";

test("reading a prompt is said with its progress", () => {
  const step = { kind: "prompt", title: "Reading the text" } as const;
  assert.equal(stepText({ ...step, done: null, of: null }), "Reading the text");
  assert.equal(stepText({ ...step, done: 512, of: 1024 }), "Reading the text 50%");
});
