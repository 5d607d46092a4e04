import assert from "node:assert/strict";
import { test } from "vitest";
import { Blocks } from "../src/lib/markdown/blocks.ts";
import { renderDocument } from "../src/lib/markdown/render.ts";
import { pieces, random } from "./random.ts";

const PIECES = [
  "# Title\n", "## Under\n\n", "A line of words.\n", "More *words* and **bold** ones", "\n", "\n\n", "- one\n", "- two\n\n",
  "  nested text\n", "    - deeper\n", "1. first\n", "2. second\n", "> quoted\n", "> \n", ">".repeat(20), "- ".repeat(20), "lazy\n", "```python\n", "x = 1\n", "```\n", "~~~\n",
  "| a | b |\n", "|---|--:|\n", "| 1 | 2 |\n", "---\n", "===\n", "***\n", "<div>\n", "</div>\n", "<!-- note\n", "-->\n", "<br>", "[a]: https://example.org\n",
  "see [a] and [b](https://example.org/x)", "[b][a]", "`code`", "- [x] done\n", "- [ ] open\n", "\tindented\n", "    indented\n", "é\u0301🍰👩🏽‍🍳", "\\*not\\*", "&amp;", `z${"\u0310\u0341\u0489".repeat(30)}`, "![p](https://example.org/p.png)", "\r\n",
  "$$", "$$\n", "\n$$\nx^2\n$$\n", "\\[ a_1 * b * c \\]", "\\[", "\\]", "\\(x\\)", "$x_1$", "$", "costs $5 ", "[^1]", "[^1]: note\n", "[^two]: more\n\n    of it\n", "[^two]", "\u202e", " ", "+", "-", "=", "_", "*",
];

const SEEDS_PER_TEST = 300; // all at once would take longer than a test may on a busy machine

test.each(Array.from({ length: 10 }, (_, i) => 1 + i * SEEDS_PER_TEST))("streaming gives the same as rendering the whole, from seed %i", (first) => {
  for (let seed = first; seed < first + SEEDS_PER_TEST; seed++) {
    const next = random(seed);
    let text = "";
    const length = 1 + Math.floor(next() * 25);
    for (let i = 0; i < length; i++) text += PIECES[Math.floor(next() * PIECES.length)];
    const blocks = new Blocks();
    let grown = "";
    for (const piece of pieces(text, next)) {
      grown += piece;
      const streamed = blocks.update(grown).map((block) => block.html).join("");
      assert.equal(streamed, renderDocument(grown), JSON.stringify({ seed, grown }));
    }
    assert.equal(blocks.finish(text).map((block) => block.html).join(""), renderDocument(text));
  }
});

test("only the last blocks are parsed again", () => {
  const blocks = new Blocks();
  const text = Array.from({ length: 200 }, (_, i) => `Paragraph ${i} of many.\n\n`).join("");
  const before = blocks.update(text);
  const after = blocks.update(`${text}And the end.`);
  assert.equal(after.length, before.length + 1);
  assert.ok(before.every((block, i) => block === after[i]));
});

test("nothing a model writes becomes a script, a foreign image or a dangerous link", () => {
  const evil = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "![x](javascript:alert(1))",
    "[x](data:text/html,hi)", "![x](https://example.org/p.png)", '<a href="javascript:alert(1)">x</a>', "<br onclick=alert(1)>", "<style>*{}</style>",
    '[x](https://example.org/"onmouseover="alert(1))', "<svg/onload=alert(1)>", "```\"><script>\nx\n```",
  ];
  for (const text of evil) {
    const made = renderDocument(text);
    assert.doesNotMatch(made, /<(?:script|style|svg|iframe|img)/i, text);
    assert.doesNotMatch(made, /<[^>]*\son\w+=/i, text);
    assert.doesNotMatch(made, /(?:href|src)="(?:javascript|data):/i, text);
  }
});

test("line breaks are kept", () => {
  assert.equal(renderDocument("Roses are red\nViolets are blue"), "<p>Roses are red<br>Violets are blue</p>\n");
});

test("only headings can be linked to", () => {
  assert.match(renderDocument("[Results](#2-results)"), /<a href="#2-results">Results<\/a>/);
  assert.doesNotMatch(renderDocument("[x](#) [y](/settings) [z](?a=b)"), /<a /);
});

test("only a closed block of Mermaid can be drawn", () => {
  const drawn = (text: string) => renderDocument(text).includes(" data-diagram");
  for (const text of ["```mermaid\npie\n```", "~~~~ Mermaid\npie\n~~~~\n\nand on", "- a list\n\n  ```mermaid\n  pie\n  ```", "> ```mermaid\n> pie\n> ```"]) assert.ok(drawn(text), text);
  for (const text of ["```mermaid\npie", "```mermaid\npie\n``", "````mermaid\npie\n```", "```mermaid\npie\n~~~", "```python\npie\n```", "```mermaid\n"]) assert.ok(!drawn(text), text);
});
