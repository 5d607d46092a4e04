// The steps of an answer, in words.

import assert from "node:assert/strict";
import { test } from "vitest";
import { stepText, waitingText } from "../src/lib/answer.ts";
import de from "../src/lib/i18n/de.json";
import en from "../src/lib/i18n/en.json";
import { setLanguage } from "../src/lib/i18n/translate.ts";

test("reading a prompt is said with its progress", () => {
  const step = { kind: "prompt", title: "Reading the text" } as const;
  assert.equal(stepText({ ...step, done: null, of: null }), "Reading the text");
  assert.equal(stepText({ ...step, done: 512, of: 1024 }), "Reading 1,024 tokens, 50%");
  assert.equal(stepText({ ...step, done: 512, of: 1024, seconds_left: 12 }), "Reading 1,024 tokens, 50%, 12 sec left");
  assert.equal(stepText({ ...step, done: 1024, of: 1024, milliseconds: 900 }), "Reading 1,024 tokens");
});

test("loading is said with its share, and waiting with the answers that come first", () => {
  assert.equal(stepText({ kind: "load", title: "Loading Muse", done: 60, of: 100 }), "Loading Muse, 60%");
  assert.equal(stepText({ kind: "wait", title: "Waiting for Muse", done: 1, of: 3 }), "Waiting for Muse, 2 other answers first");
});

test("what takes long without a measure is said with the seconds that have passed", () => {
  const step = { step: "s", kind: "load", title: "Loading Muse", done: null, of: null, milliseconds: null, outcome: null, count: null, preview: null, seconds_left: null } as const;
  assert.equal(waitingText(undefined, "Muse", 1), "Waiting for Muse…");
  assert.equal(waitingText(undefined, "Muse", 5.2), "Waiting for Muse, 5 sec");
  assert.equal(waitingText(step, "Muse", 1), "Loading Muse…");
  assert.equal(waitingText(step, "Muse", 100), "Loading Muse, 2 min");
  assert.equal(waitingText({ ...step, done: 60, of: 100 }, "Muse", 100), "Loading Muse, 60%");
  assert.equal(waitingText(undefined, "", 1), "");
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
