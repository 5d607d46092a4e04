// The marks of sources in an answer: each at the end of its sentence, with the Markdown around it unchanged.

import assert from "node:assert/strict";
import { test } from "vitest";
import { answerMarkdown } from "../src/lib/answer.ts";
import { passageLocation } from "../src/lib/documents.ts";
import { withMarks } from "../src/lib/markdown/citations.ts";
import { renderDocument } from "../src/lib/markdown/render.ts";
import { userMessage } from "../src/lib/userMessage.ts";
import { citationSource } from "../src/state/source.ts";
import type { Citation, Doubt, Message, Passage } from "../src/api/events.ts";
import { Blocks } from "../src/lib/markdown/blocks.ts";
import { random } from "./random.ts";

const MARK = /<sup class="source"><button[^>]*data-source="([cdf]\d+)"[^>]*>([^<]*)<\/button><\/sup>/g;

function passage(number: number): Passage {
  return { number, file: `file_${number}`, name: "report.pdf", page: 4, label: null, heading: [], start: 0, end: 9, text: "It was so.", member: null, url: null, published: null, breaks: [], computation: null };
}

/** Offsets as the server counts them: in characters. */
function span(text: string, sentence: string): { start: number; end: number } {
  const at = text.indexOf(sentence);
  assert.ok(at >= 0, sentence);
  const start = Array.from(text.slice(0, at)).length;
  return { start, end: start + Array.from(sentence).length };
}

function cites(text: string, sentence: string, number: number): Citation {
  return { index: 0, ...span(text, sentence), passage: number, quote: "It  was\nso.", quote_start: 0, quote_end: 9, support: 1, page: 4, label: null, computation: null };
}

function answer(text: string, citations: readonly Citation[], doubts: readonly Doubt[] = []): Message {
  const base = userMessage("conv", { id: "a", parent: "q", text });
  return { ...base, role: "assistant", citations, doubts, passages: [1, 2, 3].map(passage) };
}

function rendered(text: string, citations: readonly Citation[], doubts: readonly Doubt[] = []): string {
  return renderDocument(withMarks(text, answer(text, citations, doubts), 0)).replace(MARK, "⟦$1:$2⟧").trim();
}

function one(text: string, sentence: string): string {
  return rendered(text, [cites(text, sentence, 3)]);
}

test("a mark stands at the end of its sentence", () => {
  assert.equal(one("It rose. It fell.\n", "It rose."), "<p>It rose.⟦c0:3⟧ It fell.</p>");
  assert.equal(one("It rose.\n\nIt fell.", "It rose.\n"), "<p>It rose.⟦c0:3⟧</p>\n<p>It fell.</p>");
  assert.equal(one("🧀🧀 cheese 🧀. It rose. Then 🧀.", "It rose."), "<p>🧀🧀 cheese 🧀. It rose.⟦c0:3⟧ Then 🧀.</p>");
});

test("emphasis, links, lists, headings, tables and breaks keep their meaning", () => {
  assert.equal(one("**It rose.** It fell.", "**It rose.**"), "<p><strong>It rose.</strong>⟦c0:3⟧ It fell.</p>");
  assert.equal(one("**It rose. It fell.**", "It rose."), "<p><strong>It rose.⟦c0:3⟧ It fell.</strong></p>");
  assert.equal(one("_It rose._ It fell.", "_It rose._"), "<p><em>It rose.</em>⟦c0:3⟧ It fell.</p>");
  assert.equal(one("_It rose_.", "_It rose_."), "<p><em>It rose</em>.⟦c0:3⟧</p>");
  assert.match(one("- It rose.\n- It fell.\n", "It rose."), /<li>It rose\.⟦c0:3⟧<\/li>\s*<li>It fell/);
  assert.match(one("1. **Cheese:** 4 t\n2. Bread", "**Cheese:** 4 t"), /<li><strong>Cheese:<\/strong> 4 t⟦c0:3⟧<\/li>/);
  assert.match(one("> It rose.\n> It fell.", "It rose."), /<blockquote>\s*<p>It rose\.⟦c0:3⟧<br>It fell/);
  assert.equal(one("## It rose ##\n", "## It rose ##"), "<h2>It rose⟦c0:3⟧</h2>");
  assert.match(one("| a | b |\n|---|---|\n| c | d |\n", "c | d"), /<td>d⟦c0:3⟧<\/td>/);
  assert.match(one("| a | b |\n|---|---|\n| c | d |\n", "| c | d |"), /<td>d⟦c0:3⟧<\/td>/);
  assert.equal(one("It rose.  \nIt fell.", "It rose."), "<p>It rose.⟦c0:3⟧<br>It fell.</p>");
  assert.match(one("See https://example.org/a for it.\nSee https://example.org/b", "See https://example.org/b"), /href="https:&#47;&#47;example|href="https:\/\/example\.org\/b"[^>]*>https:\/\/example\.org\/b<\/a> ⟦c0:3⟧/);
  assert.match(one("It is `x`.", "It is `x`."), /<code>x<\/code>\.⟦c0:3⟧/);
  assert.match(one("It is $x^2$. So.", "It is $x^2$."), /data-tex="x\^2"[^>]*>[^<]*<\/span>\.⟦c0:3⟧ So/);
});

test("a source is located where its quote begins", () => {
  const long = { ...passage(3), end: 60, breaks: [{ page: 5, label: null, start: 20 }, { page: 6, label: "iv", start: 40 }] };
  assert.deepEqual([0, 20, 45].map((at) => passageLocation(long, at)), ["report.pdf, page 4", "report.pdf, page 5", "report.pdf, page iv"]);
  assert.equal(passageLocation({ ...long, label: "", breaks: [], heading: ["Town", "Fees"] }, 45), "report.pdf, Fees");
  assert.equal(passageLocation({ ...long, label: "", breaks: [], member: "a/b.txt" }), "report.pdf › a/b.txt");
  const message = { passages: [long] } as unknown as Message;
  assert.equal(citationSource(message, { ...cites("It was.", "It was.", 3), quote_start: 45, page: 6, label: "iv" })?.page, 6);
});

test("nothing is inserted where Markdown has more than text", () => {
  const code = "```py\nx = 1\n```\n";
  assert.equal(one(code, "```py\nx = 1\n```"), renderDocument(code).trim());
  assert.equal(one("$$\nx\n$$", "$$\nx\n$$"), renderDocument("$$\nx\n$$").trim());
  assert.doesNotMatch(one("```\nx = 1.\n```\n", "x = 1."), /⟦|\ufffc/);
});

test("the mark's own character is not text", () => {
  const text = "It \ufffcc0.3\ufffc rose\ufffc. It fell.";
  assert.equal(one(text, "It \ufffcc0.3\ufffc rose\ufffc."), "<p>It c0.3 rose.⟦c0:3⟧ It fell.</p>");
  assert.equal(renderDocument("`a\ufffcc0.3\ufffcb`"), "<p><code>ab</code></p>\n");
});

test("a figure that a calculation gave has a mark of its own, without a number", () => {
  const text = "It is **76**. It rose.";
  const figures = [{ index: 0, ...span(text, "It is **76**."), call: "call_1", line: "total 76" }];
  const message = { ...answer(text, []), computed_figures: figures };
  assert.equal(renderDocument(withMarks(text, message, 0)).replace(MARK, "⟦$1:$2⟧").trim(), "<p>It is <strong>76</strong>.⟦f0:=⟧ It rose.</p>");
});

test("several sources are in the order of their numbers, doubts after them", () => {
  const text = "It rose. It fell.";
  const doubt = { index: 0, ...span(text, "It fell."), about: "12", passage: 1 };
  assert.equal(rendered(text, [cites(text, "It rose.", 3), cites(text, "It rose.", 1)], [doubt]), "<p>It rose.⟦c1:1⟧⟦c0:3⟧ It fell.⟦d0:?⟧</p>");
});

test("a number that the model wrote itself becomes the mark", () => {
  assert.equal(one("> It rose. [3]\n\nSo.", "It rose."), "<blockquote>\n<p>It rose.⟦c0:3⟧</p>\n</blockquote>\n<p>So.</p>");
  assert.equal(one("It rose [3]. So.", "It rose [3]."), "<p>It rose⟦c0:3⟧. So.</p>");
  assert.equal(one("It rose.[^3] So.", "It rose.[^3]"), "<p>It rose.⟦c0:3⟧ So.</p>");
  assert.match(one("It is `a[3]` there.", "It is `a[3]` there."), /<code>a\[3\]<\/code> there\.⟦c0:3⟧/);
  assert.match(one("See [3](https://example.org).", "See [3](https://example.org)."), /<a [^>]*>3<\/a>\.⟦c0:3⟧/);
});

test("an answer in progress is rendered like a complete one, including late marks", () => {
  const sentences = ["**It rose.**", "It fell _much_.", "`x` is 4.", "See [it](https://example.org).", "Bread: 🧀 and more."];
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const blocks = new Blocks();
    let text = "";
    const citations: Citation[] = [];
    const waiting: Citation[] = [];
    for (let i = 0; i < 12; i++) {
      const sentence = sentences[Math.floor(next() * sentences.length)] ?? "";
      const start = Array.from(text).length + (i % 4 === 0 ? 2 : 0);
      text += `${i % 4 === 0 ? "- " : ""}${sentence}${i % 4 === 3 ? "\n\n" : " "}`;
      waiting.push({ ...cites(sentence, sentence, 1 + (i % 3)), start, end: start + Array.from(sentence).length });
      if (next() < 0.5) citations.push(...waiting.splice(0, 1));
      const shown = blocks.update(withMarks(text, answer(text, citations), 0)).map(({ html }) => html);
      assert.equal(shown.join(""), renderDocument(withMarks(text, answer(text, citations), 0)));
    }
  }
});

test("an answer is copied with its sources as footnotes", () => {
  const text = "It rose. It fell.";
  assert.equal(answerMarkdown(answer(text, [cites(text, "It fell.", 2)])), "It rose. It fell.[^2]\n\n[^2]: report.pdf, page 4: “It was so.”\n");
  const own = "It rose.[^1]\n\n[^1]: Mine.";
  assert.match(answerMarkdown(answer(own, [cites(own, "It rose.", 2)])), /^It rose\.\[\^s2\]\[\^1\]\n\n\[\^1\]: Mine\.\n\n\[\^s2\]: report/);
  assert.equal(answerMarkdown(answer(text, [])), text);
});

test("a web source is copied with its address and its date, and its text makes no link or image", () => {
  const text = "It rose.";
  const base = answer(text, [{ ...cites(text, text, 2), quote: "It [was](x)  so." }]);
  const of = (web: Partial<Passage>) => answerMarkdown({ ...base, passages: [{ ...passage(2), ...web }] });
  const web = { name: "![A](http://evil.example/b.png) <i>", url: "https://www.example.org/a b?q=<1>", published: "2026-11-24" };
  assert.equal(
    of(web),
    "It rose.[^2]\n\n[^2]: !\\[A\\](http://evil.example/b.png) \\<i>, example.org, 24 November 2026, <https://www.example.org/a%20b?q=%3C1%3E>: “It \\[was\\](x) so.”\n",
  );
  assert.match(of({ ...web, url: "javascript:alert(1)", published: null }), /^It rose\.\[\^2\]\n\n\[\^2\]: [^\n]*<i>, javascript:alert\(1\): “/);
});
