// Formats of Markdown: given and taken away at a cursor and of what is selected.

import { markdown, markdownLanguage } from "@codemirror/lang-markdown";
import { ensureSyntaxTree } from "@codemirror/language";
import { EditorSelection, EditorState } from "@codemirror/state";
import assert from "node:assert/strict";
import { test } from "vitest";
import type { Format } from "../src/lib/canvas/formats.ts";
import { formatsAt, toggleFormat } from "../src/lib/canvas/formatting.ts";

/** A state whose selection is what stands between `‹` and `›`; without them, the cursor is at `|`. */
function stateOf(marked: string): EditorState {
  const doc = marked.replace(/[‹›|]/g, "");
  const [from, to] = marked.includes("‹") ? [marked.indexOf("‹"), marked.indexOf("›") - 1] : [marked.indexOf("|"), marked.indexOf("|")];
  const state = EditorState.create({ doc, selection: EditorSelection.range(from, to), extensions: markdown({ base: markdownLanguage }) });
  ensureSyntaxTree(state, doc.length, 1000);
  return state;
}

function show(state: EditorState): string {
  const { from, to, empty } = state.selection.main;
  const [before, inside, after] = [state.sliceDoc(0, from), state.sliceDoc(from, to), state.sliceDoc(to)];
  return empty ? `${before}|${after}` : `${before}‹${inside}›${after}`;
}

function toggled(format: Format, state: EditorState): EditorState {
  let after = state;
  toggleFormat(format)({ state, dispatch: (transaction) => (after = transaction.state) });
  ensureSyntaxTree(after, after.doc.length, 1000);
  return after;
}

const BOTH_WAYS: readonly (readonly [Format, string, string])[] = [
  ["bold", "a ‹word› here", "a **‹word›** here"],
  ["bold", "a wo|rd here", "a **wo|rd** here"],
  ["bold", "a word| here", "a **word|** here"],
  ["bold", "a | here", "a **|** here"],
  ["italic", "a **‹word›** here", "a ***‹word›*** here"],
  ["italic", "| here", "*|* here"],
  ["code", "a ‹word› here", "a `‹word›` here"],
  ["code", "‹one\ntwo›\nthree", "```\n‹one\ntwo›\n```\nthree"],
  ["bold", "‹- one\n- two›\n", "- **‹one**\n- **two›**\n"],
  ["bullets", "|", "- |"],
  ["bullets", "‹one\n\ntwo›", "- ‹one\n\n- two›"],
  ["numbers", "‹one\ntwo›\nthree", "1. ‹one\n2. two›\nthree"],
  ["numbers", "‹one\n›two", "1. ‹one\n›two"],
  ["quote", "‹one\ntwo›", "> ‹one\n> two›"],
  ["quote", "- o|ne", "> - o|ne"],
];

for (const [format, before, after] of BOTH_WAYS) {
  test(`${format} is given and taken away: ${JSON.stringify(before)}`, () => {
    const given = toggled(format, stateOf(before));
    assert.equal(given.doc.toString(), after.replace(/[‹›|]/g, ""));
    if (!before.startsWith("‹")) assert.equal(show(given), after);
    assert.ok(formatsAt(given).has(format));
    const taken = toggled(format, given);
    assert.equal(taken.doc.toString(), before.replace(/[‹›|]/g, ""));
    assert.ok(!formatsAt(taken).has(format));
  });
}

const ONE_WAY: readonly (readonly [Format, string, string])[] = [
  ["bold", "‹a **b** c›", "**‹a b c›**"],
  ["bold", "**a ‹b** c›", "**a ‹b c›**"],
  ["bold", "__‹a›__", "‹a›"],
  ["bold", "a‹ b ›c", "a‹ **b** ›c"],
  ["heading", "o|ne", "# o|ne"],
  ["heading", "# o|ne", "## o|ne"],
  ["heading", "### o|ne", "o|ne"],
  ["bullets", "1. o|ne", "- o|ne"],
  ["numbers", "> - o|ne", "> 1. o|ne"],
  ["link", "‹the shop›", "[the shop](|)"],
  ["link", "sh|op", "[shop](|)"],
  ["link", "‹https://a.eu›", "[|](https://a.eu)"],
  ["link", "see [the sh|op](https://a.eu).", "see the sh|op."],
  ["code", "```py\no|ne\n```\ntwo", "o|ne\ntwo"],
];

for (const [format, before, after] of ONE_WAY) {
  test(`${format} makes ${JSON.stringify(before)} ${JSON.stringify(after)}`, () => {
    assert.equal(show(toggled(format, stateOf(before))), after);
  });
}

test("the formats are those around the cursor, or of all that is selected", () => {
  const told = (marked: string) => [...formatsAt(stateOf(marked))];
  assert.deepEqual(told("> - **a `b|c`**"), ["bold", "bullets", "quote", "code"]);
  assert.deepEqual(told("# ‹*a* b›"), ["heading"]);
  assert.deepEqual(told("**a**|"), []);
  assert.deepEqual(told("```\n# a|\n```"), ["code"]);
});

test("a text that can't be written in keeps its formats", () => {
  const state = EditorState.create({ doc: "a", extensions: [EditorState.readOnly.of(true)] });
  assert.ok(!toggleFormat("bold")({ state, dispatch: () => assert.fail() }));
});
