// A page's text as the source pane shows it.

import assert from "node:assert/strict";
import { test } from "vitest";
import type { DocumentPage, PageBlock } from "../src/api/files.ts";
import { characterCount, formatMoment, pageName, readingProgress, utf16Offset } from "../src/lib/documents.ts";
import { fileIcon } from "../src/components/fileIcon.ts";
import { ReadingPace } from "../src/lib/readingPace.ts";
import { textSegments } from "../src/features/sources/textSegments.ts";

function page(blocks: readonly (readonly [PageBlock["kind"], string, string?])[], start = 0): DocumentPage {
  let text = "";
  const placed = blocks.map(([kind, content, ref = null]) => {
    const from = Array.from(text).length;
    text += `${content}\n`;
    return { kind, start: from, end: from + Array.from(content).length, level: 1, ref };
  });
  return { number: 1, label: null, member: null, start, text, blocks: placed, read: "text", picture: null };
}

test("the quote is marked, counted in characters of the document", () => {
  const shown = textSegments(page([["heading", "🧀 Cheese"], ["paragraph", "It 🧀 rose."]], 100), { start: 109, end: 115 });
  assert.deepEqual(shown, [
    { kind: "heading", level: 1, pieces: [{ text: "🧀 Cheese", hit: false }] },
    { kind: "paragraph", pieces: [{ text: "It 🧀 r", hit: true }, { text: "ose.", hit: false }] },
  ]);
});

test("rows become a table with a column for each name, tables and lists stay as they are", () => {
  const shown = textSegments(page([["row", "Town: Lyon; Bread: 12", "A2:B2"], ["row", "Town: Graz; a; b; Note: new", "A3:C3"]]), { start: 20, end: 21 });
  assert.deepEqual(shown, [
    {
      kind: "table",
      head: ["Town", "Bread", "Note"],
      rows: [
        { ref: "A2:B2", cells: [[{ text: "Lyon", hit: false }], [{ text: "12", hit: false }], []].map((cell, i) => (i === 1 ? [{ text: "1", hit: false }, { text: "2", hit: true }] : cell)) },
        { ref: "A3:C3", cells: [[{ text: "Graz; a; b", hit: false }], [], [{ text: "new", hit: false }]] },
      ],
    },
  ]);
  const [table] = textSegments(page([["table", "a | b\nc | d"]]), null);
  assert.deepEqual(table?.kind === "table" && table.rows.map(({ cells }) => cells.map((cell) => cell[0]?.text)), [["a", "b"], ["c", "d"]]);
  const [list] = textSegments(page([["list", "• one\n  • two"]]), null);
  assert.deepEqual(list?.kind === "list" && list.items.map(({ depth, pieces: [content] }) => [depth, content?.text]), [[0, "one"], [1, "two"]]);
});

test("a page without blocks is its text", () => {
  assert.deepEqual(textSegments({ ...page([]), text: "So." }, null), [{ kind: "paragraph", pieces: [{ text: "So.", hit: false }] }]);
});

test("offsets count characters, pages have names and files icons", () => {
  assert.deepEqual([utf16Offset("a🧀b", 2), utf16Offset("ab", 9), characterCount("a🧀b")], [3, 2, 3]);
  assert.deepEqual([pageName(4, null), pageName(4, "xii"), pageName(1, "Sales 2024")], ["page 4", "page xii", "Sales 2024"]);
  assert.deepEqual(["a.PDF", "b.xlsx", "c.eml", "d"].map(fileIcon), ["page", "sheet", "mail", "page"]);
});

test("a recording is heard by minutes, and says how long that takes", () => {
  const file = { id: "a", name: "talk.mp3", size: 1, media: "", created: 0, library: null, pages: 62, pages_read: 11, chunks: 0, embedded: 0, fault: null, remarks: [], state: "reading" } as const;
  assert.equal(readingProgress(file), "listening, minute 12 of 62");
  assert.equal(readingProgress({ ...file, pages: null }), "listening, minute 11");
  assert.deepEqual([0, 59.9, 760, 3725].map(formatMoment), ["0:00", "0:59", "12:40", "1:02:05"]);
  assert.equal(fileIcon("talk.opus"), "sound");
  const pace = new ReadingPace();
  assert.equal(pace.left(file, 100), null);
  assert.equal(pace.left({ ...file, pages_read: 12 }, 102), null);
  assert.equal(pace.left({ ...file, pages_read: 21 }, 120), 82);
});

test("a file that is read says how much of it can be searched by meaning", () => {
  const file = { id: "a", name: "a", size: 1, media: "", created: 0, library: null, pages: 9, pages_read: 9, chunks: 300, embedded: 0, fault: null, remarks: [], state: "ready" } as const;
  assert.equal(readingProgress(file), "ready");
  assert.equal(readingProgress({ ...file, embedded: 299 }), "ready to search; by meaning: 99%");
  assert.equal(readingProgress({ ...file, embedded: 300 }), "ready");
});
