// The steps of an answer, in words.

import assert from "node:assert/strict";
import { test } from "vitest";
import { stepText } from "../src/lib/answer.ts";
import de from "../src/lib/i18n/de.json";
import en from "../src/lib/i18n/en.json";
import { setLanguage } from "../src/lib/i18n/translate.ts";

test("reading a prompt is said with its progress", () => {
  const step = { kind: "prompt", title: "Reading the text" } as const;
  assert.equal(stepText({ ...step, done: null, of: null }), "Reading the text");
  assert.equal(stepText({ ...step, done: 512, of: 1024 }), "Reading the text 50%");
});

test("reading a long document is said with its count, share and time left", () => {
  const step = { kind: "read", title: "Reading log.md" } as const;
  assert.equal(stepText({ ...step, done: null, of: null }), "Reading log.md");
  assert.equal(stepText({ ...step, done: 3, of: 40, seconds_left: 400 }), "Reading log.md · 3 of 40 · 8% · 7 min left");
  assert.equal(stepText({ ...step, done: 40, of: 40, milliseconds: 9000, seconds_left: 0 }), "Reading log.md");
});

test("a second search is said with its words", () => {
  setLanguage("de", de);
  const step = { kind: "search", done: null, of: null } as const;
  assert.equal(stepText({ ...step, title: "Searching again for hostname; computer name" }), "Erneute Suche nach hostname; computer name");
  setLanguage("en", en);
});
