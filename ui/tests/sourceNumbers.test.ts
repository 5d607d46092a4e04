// Sources are numbered 1, 2, 3 in the order in which an answer cites them.

import assert from "node:assert/strict";
import { test } from "vitest";
import type { Citation, Message, Passage } from "../src/api/events.ts";
import { numberSources } from "../src/lib/sourceNumbers.ts";
import { userMessage } from "../src/lib/userMessage.ts";

/** The same text as in tests/transfer/test_source_numbers.py. */
const TEXT = "🧀 fell [12]. It rose [7][4]. Nobody knew [9]. `a[7]`\n\n[7](x) [^7] [^4]\n\n```\n[7]\n```\n\n[^4]: Own.";

function passage(number: number): Passage {
  return { number, file: `file_${number}`, name: "a.md", page: 1, label: "", heading: [], start: 0, end: 2, text: "so", member: null, url: null, published: null, breaks: [], computation: null };
}

/** Offsets as the server counts them: in characters. */
function span(sentence: string): { start: number; end: number } {
  const start = Array.from(TEXT.slice(0, TEXT.indexOf(sentence))).length;
  return { start, end: start + Array.from(sentence).length };
}

function cites(sentence: string, number: number): Citation {
  return { index: 0, ...span(sentence), passage: number, quote: "so", quote_start: 0, quote_end: 2, support: 1, page: null, label: null, computation: null };
}

const ANSWER: Message = {
  ...userMessage("conv", { id: "a", parent: "q", text: TEXT }),
  role: "assistant",
  passages: [4, 7, 8, 12].map(passage),
  citations: [cites("It rose [7][4].", 7), cites("🧀 fell [12].", 12)],
  doubts: [{ index: 0, ...span("Nobody knew [9]."), about: "", passage: 8 }],
  remarks: [{ code: "contradicted", message: "Sources contradict each other: [12] says so, [8] doesn't.", language: null }],
};

test("cited sources come first, in order, and the rest follow", () => {
  const { passages, citations, doubts, remarks } = numberSources(ANSWER);
  assert.deepEqual(
    passages.map(({ number, file }) => [number, file]),
    [
      [1, "file_12"],
      [2, "file_7"],
      [3, "file_4"],
      [4, "file_8"],
    ],
  );
  assert.deepEqual(
    citations.map((one) => one.passage),
    [2, 1],
  );
  assert.equal(doubts[0]?.passage, 4);
  assert.equal(remarks[0]?.message, "Sources contradict each other: [1] says so, [4] doesn't.");
});

test("numbers in the text follow, and marks keep their sentences", () => {
  const { parts, citations, doubts } = numberSources(ANSWER);
  const text = parts[0]?.text ?? "";
  assert.equal(text, "🧀 fell [1]. It rose [2][3]. Nobody knew [9]. `a[7]`\n\n[7](x) [^2] [^4]\n\n```\n[7]\n```\n\n[^4]: Own.");
  const marked = [...citations, ...doubts].map(({ start, end }) => Array.from(text).slice(start, end).join(""));
  assert.deepEqual(marked, ["It rose [2][3].", "🧀 fell [1].", "Nobody knew [9]."]);
});

test("an answer that is in order stays as it is", () => {
  const numbered = numberSources(ANSWER);
  assert.equal(numberSources(numbered), numbered);
  const alone = { ...ANSWER, passages: [] };
  assert.equal(numberSources(alone), alone);
});
