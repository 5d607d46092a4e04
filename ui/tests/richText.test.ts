// The rich text of canvases: Markdown that is read, changed and written.

import { Transform } from "prosemirror-transform";
import { type Mark, type Node, type NodeType, Slice } from "prosemirror-model";
import assert from "node:assert/strict";
import { Lexer } from "marked";
import { test, vi } from "vitest";
import { EditorState, TextSelection } from "prosemirror-state";
import type { EditorView } from "prosemirror-view";
import { copied, forCell, pastedText } from "../src/lib/canvas/richText/clipboard.ts";
import { linkAt, setLink } from "../src/lib/canvas/richText/commands.ts";
import { frontMatterFirst } from "../src/lib/canvas/richText/frontMatter.ts";
import { meaning } from "../src/lib/canvas/richText/inline.ts";
import { typedMarkdown } from "../src/lib/canvas/richText/keys.ts";
import { documentOf, parse } from "../src/lib/canvas/richText/parse.ts";
import { schema } from "../src/lib/canvas/richText/schema.ts";
import { serialize } from "../src/lib/canvas/richText/serialize.ts";
import { MarkdownSource } from "../src/lib/canvas/richText/source.ts";
import { random } from "./random.ts";

const TEXT = `---
title: Bread
---

# A letter to *Ada*
Dear **Ada**,
the __bread__ is ready\\*. [Here](https://a.eu "Site") and <https://b.eu> and H<sub>2</sub>O &amp; &mdash; &#65;.

Setext
======

* one
* two
    * three

      more

1. a
1. b

3) [ ] c
4) [x] d

> quote
> - in it

| a | b \\| c |
|:--|:-:|
| \`x\` | $y$ |

\`\`\`\`python
print("\`\`\`")
\`\`\`\`

    indented

![pic](https://c.eu/p.png) with $E=mc^2$ and a note[^1].

[^1]: The note.

$$
x
$$

<div>
raw
</div>

***

[ref]: https://r.eu
[a ref][ref]
`;

/** Write every block of the document again. */
function rewritten(doc: Node): string {
  const parts: string[] = [];
  doc.forEach((node) => parts.push(serialize(node, 0, { links: {}, points: [] })));
  return parts.filter((part) => part !== "").join("\n\n");
}

test("a text that nobody changes stays as it is", () => {
  const source = new MarkdownSource(TEXT);
  assert.equal(source.text, TEXT);
  const { doc } = source;
  const changed = new Transform(doc).insert(doc.content.size, schema.nodes.paragraph.create(null, schema.text("new"))).doc;
  assert.equal(source.update(changed), `${TEXT.trimEnd()}\n\nnew\n`);
});

test("a document that is written again reads the same", () => {
  const doc = documentOf(parse(TEXT).blocks);
  const text = rewritten(doc);
  assert.equal(documentOf(parse(text).blocks).toString(), doc.toString());
});

/** A document as Markdown can hold it, for comparison: with the marks of its words, or their letters alone. */
function form(node: Node, marks = true): unknown {
  const { tight: _tight, marker: _marker, ...attrs } = node.attrs;
  if (node.isTextblock) {
    if (node.type.spec.code === true) return [node.type.name, attrs, node.textContent];
    return [node.type.name, attrs, marks ? meaning(node) : node.textContent.replace(/\s/g, "")];
  }
  const children = node.children.filter((child) => child.type !== schema.nodes.paragraph || meaning(child) !== "[]").map((child) => form(child, marks));
  return [node.type.name, attrs, children];
}

const WORDS = ["bread", "a", "B1", "*", "**", "_", "`", "``", "~~", "[", "](", ")", "]", "$", "$$", "<", "<b>", "&amp;", "&", "#", "1.", "1)", "-", "+", ">", "|", "\\", "!", "[x]", "[ ]", ":", "---", "===", "http://a.eu", "a@b.eu", "é", "“", "—", ".", ",", "\\[", "[^1]", "🙂", "\u00a0"];

/** Words with marks; where `isWild`, also without any space between them. */
function randomWords(next: () => number, isWild: boolean, breaks = true): Node[] {
  const found: Node[] = [];
  const count = Math.floor(next() * 6);
  const { code, em, link, strike, strong, tag } = schema.marks;
  for (let at = 0; at < count; at++) {
    const words = Array.from({ length: 1 + Math.floor(next() * 3) }, () => WORDS[Math.floor(next() * WORDS.length)]).join(next() < 0.6 ? " " : "");
    const marks = [strong.create(), em.create(), strike.create(), code.create(), link.create({ href: "https://c.eu/a_b" }), tag.create({ name: "sub" })].filter(() => next() < 0.15);
    if (next() < 0.08 && breaks) found.push(schema.nodes.hardBreak.create());
    else if (isWild) found.push(schema.text(words + (next() < 0.3 ? " " : ""), marks.reduce<readonly Mark[]>((all, mark) => mark.addToSet(all), [])));
    else found.push(marks.length > 0 ? schema.text(`x${words}x`, marks.slice(0, 1)) : schema.text(words), schema.text(" "));
  }
  return found;
}

function randomBlock(next: () => number, isWild: boolean, depth = 2): Node {
  const { nodes } = schema;
  const kind = Math.floor(next() * (depth > 0 ? 9 : 4));
  const blocks = () => Array.from({ length: 1 + Math.floor(next() * 2) }, () => randomBlock(next, isWild, depth - 1));
  const items = () => Array.from({ length: 1 + Math.floor(next() * 3) }, () => nodes.listItem.create({ checked: next() < 0.2 ? next() < 0.5 : null }, [nodes.paragraph.create(null, [schema.text("item "), ...randomWords(next, isWild)]), ...(next() < 0.3 ? blocks() : [])]));
  switch (kind) {
    case 0:
      return nodes.heading.create({ level: 1 + Math.floor(next() * 6) }, randomWords(next, isWild, false));
    case 1:
      return nodes.codeBlock.create({ info: next() < 0.5 ? "python" : "" }, schema.text(next() < 0.3 ? "```\n# x\n\n  y" : "x = 1"));
    case 2:
      return nodes.rule.create();
    case 4:
      return nodes.blockquote.create(null, blocks());
    case 5:
      return nodes.bulletList.create({ tight: next() < 0.7 }, items());
    case 6:
      return nodes.orderedList.create({ tight: next() < 0.7, order: 1 + Math.floor(next() * 3) }, items());
    case 7: {
      const columns = 1 + Math.floor(next() * 3);
      const row = (type: NodeType) => nodes.table_row.create(null, Array.from({ length: columns }, () => type.create(null, randomWords(next, isWild))));
      return nodes.table.create(null, [row(nodes.table_header), row(nodes.table_cell), row(nodes.table_cell)]);
    }
    default:
      return nodes.paragraph.create(null, randomWords(next, isWild));
  }
}

for (const isWild of [false, true]) {
  test(`random documents are read as they were written${isWild ? ", their letters in any case" : ""}`, () => {
    const failures: string[] = [];
    for (let seed = 1; seed <= 250; seed++) {
      const next = random(seed);
      const source = new MarkdownSource("begin");
      const doc = schema.nodes.doc.create(null, [source.doc.child(0), randomBlock(next, isWild), randomBlock(next, isWild)]);
      const text = source.update(doc);
      const [wanted = "", found = ""] = [doc, documentOf(parse(text).blocks)].map((each) => JSON.stringify(form(each, !isWild)));
      const at = [...wanted].findIndex((character, index) => found[index] !== character);
      if (wanted !== found) failures.push(`${seed}\n${text}\n${wanted.slice(at - 100, at + 60)}\n${found.slice(at - 100, at + 60)}`);
    }
    assert.equal(failures.slice(0, 5).join("\n\n"), "");
  });
}

/** A source whose document was changed by `edit`, and its text. */
function edited(text: string, edit: (transform: Transform) => Transform): { source: MarkdownSource; text: string } {
  const source = new MarkdownSource(text);
  return { source, text: source.update(edit(new Transform(source.doc)).doc) };
}

/** The place of some words in a document. */
function placeOf(doc: Node, words: string): number {
  let found = -1;
  doc.descendants((node, at) => {
    if (node.isText && node.text?.includes(words) === true) found = at + node.text.indexOf(words);
    return found < 0;
  });
  assert.notEqual(found, -1, words);
  return found;
}

test("only changed blocks are written again", () => {
  for (const [words, put] of [
    ["two", "2"],
    ["bread", "loaf"],
    ["d", "D"],
    ["Setext", "Title"],
  ] as const) {
    const { text } = edited(TEXT, (transform) => {
      const at = placeOf(transform.doc, words);
      return transform.replaceWith(at, at + words.length, schema.text(put));
    });
    const before = TEXT.split("\n");
    const changed = text.split("\n").filter((line) => !before.includes(line));
    assert.ok(changed.length <= 3, changed.join("\n"));
    assert.ok(text.includes(put));
  }
});

test("a change that is undone leaves the text as it was", () => {
  const { source, text } = edited("__One__ *two*\n\n* three\n", (transform) => transform.insert(placeOf(transform.doc, "One"), schema.text("x", [schema.marks.strong.create()])));
  assert.equal(text, "**xOne** *two*\n\n* three\n");
  const at = placeOf(source.doc, "xOne");
  assert.equal(source.update(new Transform(source.doc).delete(at, at + 1).doc), "__One__ *two*\n\n* three\n");
});

test("blocks that come together stay apart", () => {
  const { text } = edited("# One\nTwo\n\n- a\n\nThree\n\n- b\n\n```\nopen", (transform) => {
    const { doc } = transform;
    const three = placeOf(doc, "Three") - 1;
    return transform.insert(doc.content.size, schema.nodes.paragraph.create(null, schema.text("end"))).delete(three, three + "Three".length + 2).delete(0, "One".length + 2);
  });
  assert.equal(text, "Two\n\n- a\n\n* b\n\n```\nopen\n```\n\nend");
});

test("a selection has its place in the Markdown", () => {
  for (const [text, words, wanted] of [
    ["a **bold word** here", "bold", "bold"],
    ["a **bold word** here", "bold word", "bold word"],
    ["- one\n- two *three*\n", "two", "two"],
    ["> quoted\n> words", "quoted", "quoted"],
    ["| a | b |\n|---|---|\n| c \\| d | e |", "c | d", "c \\| d"],
    ["```\nx = 1\ny = 2\n```", "y", "y"],
    ["see __this__ and that", "that", "that"],
    ["1) first\n2) *second*", "first", "first"],
  ] as const) {
    const source = new MarkdownSource(`Begin\n\n${text}\n\nEnd`);
    const at = placeOf(source.doc, words);
    const { from, to } = source.range(at, at + words.length);
    assert.equal(source.text.slice(from, to), wanted, text);
  }
});

test("a selection that ends within marks takes all of them", () => {
  const source = new MarkdownSource("some **bold words** here\n\n*more* words");
  const [from, to] = [placeOf(source.doc, "bold"), placeOf(source.doc, "here")];
  const { from: start, to: end } = source.range(from + 2, to + 2);
  assert.equal(source.text.slice(start, end), "**bold words** he");
  const over = source.range(placeOf(source.doc, "here"), placeOf(source.doc, "more") + 2);
  assert.equal(source.text.slice(over.from, over.to), "here\n\n*more*");
});

test("a text without words has a paragraph to write in, and stays empty", () => {
  const { text, source } = edited("", (transform) => transform.insert(0, schema.nodes.paragraph.create()));
  assert.deepEqual([text, source.doc.childCount], ["", 2]);
});

const RICH = "See **all** of [the guide](https://a.eu/guide), at 10:30 (here).";

test("what is no longer a formula, a note or HTML leaves the marks of other words", () => {
  const remove = (words: string, from: number, to: number) => (transform: Transform) => {
    const at = placeOf(transform.doc, words);
    return transform.delete(at + from, at + to);
  };
  const insert = (words: string, text: string, marks: readonly Mark[] = []) => (transform: Transform) =>
    transform.insert(placeOf(transform.doc, words) + words.length, schema.text(text, marks));
  const source = [schema.marks.source.create()];
  for (const [text, edit, wanted] of [
    [" So $x$ wide", remove("$x$", 2, 3), " So $x wide"],
    [" So $x$ wide", remove("$x$", 0, 1), " So x$ wide"],
    [" So $x$ wide", insert("$x$", "5"), " So $x$5 wide"],
    [" It costs", (transform: Transform) => insert("$5-$", "10")(insert(" It costs", " $5-$", source)(transform)), " It costs $5-$10"],
    [" Noted[^1]\n\n[^1]: n", remove("[^1]", 3, 4), " Noted[^1\n\n[^1]: n"],
    [" Noted", insert("Noted", "[^1]", source), " Noted[^1]"],
    [" a &mdash; b", remove("&mdash;", 6, 7), " a &mdash b"],
    [" a <span class=x>b</span>", remove("<span", 0, 1), " a span class=x>b</span>"],
  ] as const) {
    assert.equal(edited(RICH + text, edit).text, RICH + wanted);
  }
});

test("copying leaves unchanged how a text is saved", () => {
  const source = new MarkdownSource("> **b** [g](https://g.eu) x[^1]\n>\n> other\n\n[^1]: n");
  assert.equal(copied(new Slice(source.doc.content, 0, 0), source.links), "> **b** [g](https://g.eu) x[^1]\n>\n> other\n\n[^1]: n");
  copied(new Slice(source.doc.content, 0, 0), {});
  const text = source.update(new Transform(source.doc).insert(placeOf(source.doc, "other"), schema.text("Q")).doc);
  assert.equal(text, "> **b** [g](https://g.eu) x[^1]\n>\n> Qother\n\n[^1]: n");
});

test("a long paragraph keeps its marks", () => {
  for (const more of ["word ", "2 * 3, snake_case and `code` "]) {
    const { text } = edited(`${RICH} ${more.repeat(4100)}`, (transform) => transform.insert(placeOf(transform.doc, "See"), schema.text("x")));
    assert.ok(text.startsWith(`x${RICH}`), text.slice(0, 200));
    assert.equal(meaning(documentOf(parse(text).blocks).child(0)).includes("https://a.eu/guide"), true);
  }
});

test("a key in a long paragraph tries what the paragraph was written with, and not all ways", () => {
  const text = "5\\*3 is f\\*g, \\$x is y\\$z, &amp;amp; is **bold**. ".repeat(60).trim();
  const source = new MarkdownSource(text);
  let { doc } = source;
  const spied = vi.spyOn(Lexer.prototype, "lex");
  const tries = ["a", "b", "c"].map((letters) => {
    spied.mockClear();
    doc = new Transform(doc).insert(1000, schema.text(letters)).doc;
    const written = source.update(doc);
    assert.equal(meaning(documentOf(parse(written).blocks).child(0)), meaning(doc.child(0)));
    return spied.mock.calls.length;
  });
  spied.mockRestore();
  assert.ok((tries[0] ?? 0) > 10, String(tries));
  assert.deepEqual(tries.slice(1), [2, 2]); // one of them is the test's own
});

test("links without words to show stay where their paragraph is edited", () => {
  for (const text of ["See [](#top) it", "[](#top)", "**[ ](https://a.eu)** b"]) {
    const { text: written } = edited(text, (transform) => transform.insert(transform.doc.content.size - 1, schema.text(" more")));
    assert.equal(written, `${text} more`);
  }
});

test("front matter stays first", () => {
  const text = "---\ntitle: A\n---\n\n# One\n\ntwo";
  const source = new MarkdownSource(text);
  const state = EditorState.create({ doc: source.doc, plugins: [frontMatterFirst] });
  const above = state.apply(state.tr.insert(0, schema.nodes.paragraph.create(null, schema.text("above"))));
  assert.equal(source.update(above.doc), text.replace("# One", "above\n\n# One"));
  const moved = above.apply(above.tr.delete(0, above.doc.child(0).nodeSize).insert(above.doc.content.size - above.doc.child(0).nodeSize, above.doc.child(0)));
  assert.equal(source.update(moved.doc), text.replace("# One", "above\n\n# One"));
  const without = moved.apply(moved.tr.delete(0, moved.doc.child(0).nodeSize));
  assert.equal(source.update(without.doc), "above\n\n# One\n\ntwo");
});

/** The text with a paragraph added to it, and that paragraph as it is read. */
function added(text: string, words: readonly Node[]): { text: string; read: Node } {
  const result = edited(text, (transform) => transform.insert(transform.doc.content.size, schema.nodes.paragraph.create(null, words)));
  return { text: result.text, read: documentOf(parse(result.text).blocks).lastChild as Node };
}

test("addresses, titles and descriptions are read as they were given", () => {
  const addresses = ["\\\\server\\share\\plan.docx", "C:\\Users\\_x\\(y)", "https://a.eu/<id>", "https://a.eu/a b", "https://a.eu/(a", "a\\_b.md", ""];
  for (const href of addresses) {
    for (const title of href === "" ? [null] : [null, 'say "hi" \\']) {
      const words = [schema.text("**a** "), schema.text("plan", [schema.marks.link.create({ href, title })]), schema.text(" b", [schema.marks.strong.create()])];
      const { read, text } = added("x", words);
      assert.equal(meaning(read), meaning(schema.nodes.paragraph.create(null, words)), text);
    }
  }
  for (const alt of ["Plan [v2]", "a\\b", "a\\[b", "a`b", "a ](x) b", "a*b*c", "<b>", "\\"]) {
    const words = [schema.text("see "), schema.nodes.image.create({ src: "C:\\p\\x.png", alt }), schema.text(" it", [schema.marks.em.create()])];
    const { read, text } = added("x", words);
    assert.equal(meaning(read), meaning(schema.nodes.paragraph.create(null, words)), text);
  }
});

test("no-break spaces at the beginning of lines stay", () => {
  for (const text of ["\u00a0\u00a0Roses\n\u00a0\u00a0red", "- &nbsp;&nbsp;Roses\n  \u00a0\u00a0red"]) {
    const result = edited(text, (transform) => transform.insert(placeOf(transform.doc, "red") + 3, schema.text("x")));
    assert.equal(documentOf(parse(result.text).blocks).textContent, "\u00a0\u00a0Roses\u00a0\u00a0redx");
  }
});

test("a changed definition changes the blocks that use it", () => {
  const source = new MarkdownSource("a [x][r] __b__\n\n> [y][r] and[^1]\n\nother\n\n[r]: https://r.eu\n\n[^1]: n");
  const hrefs = () => {
    const found: unknown[] = [];
    source.doc.descendants((node) => void found.push(...node.marks.filter(({ type }) => type === schema.marks.link).map(({ attrs }) => attrs["href"])));
    return found;
  };
  const take = () => {
    const transform = new Transform(source.doc);
    for (const { at, before, node } of source.reread().toReversed()) transform.replaceWith(at, at + before.nodeSize, node);
    source.update(transform.doc);
  };
  source.update(new Transform(source.doc).insert(placeOf(source.doc, "https://r.eu") + "https://r.eu".length, schema.text("/new")).doc);
  take();
  assert.deepEqual(hrefs(), ["https://r.eu/new", "https://r.eu/new"]);
  const text = "a [x][r] __b__\n\n> [y][r] and[^1]\n\nother";
  assert.equal(source.text, `${text}\n\n[r]: https://r.eu/new\n\n[^1]: n`);
  const at = placeOf(source.doc, "[r]:") - 1;
  source.update(new Transform(source.doc).delete(at, source.doc.content.size).doc);
  take();
  assert.deepEqual(hrefs(), []);
  assert.equal(source.text, text);
  assert.ok(source.doc.eq(documentOf(parse(text).blocks)));
  assert.deepEqual(source.reread(), []);
});

test("an indented block stays apart from a list that comes before it", () => {
  for (const block of ["    code()", "  words"]) {
    const { source, text } = edited(`para\n\n${block}\n\nend`, (transform) => {
      const first = transform.doc.child(0);
      return transform.replaceWith(0, first.nodeSize, schema.nodes.bulletList.create(null, schema.nodes.listItem.create(null, first)));
    });
    assert.deepEqual(form(documentOf(parse(text).blocks)), form(source.doc), text);
  }
});

test("tasks without words beside their box stay tasks", () => {
  const { nodes } = schema;
  const text = (words: string) => nodes.paragraph.create(null, schema.text(words));
  const item = (checked: boolean | null, ...blocks: Node[]) => nodes.listItem.create({ checked }, blocks);
  const sub = nodes.bulletList.create(null, item(null, text("sub")));
  const table = parse("| a |\n| --- |\n| b |").blocks[0]?.node as Node;
  for (const blocks of [
    [nodes.paragraph.create(), sub],
    [sub],
    [nodes.heading.create({ level: 2 }, schema.text("H"))],
    [nodes.codeBlock.create(null, schema.text("x"))],
    [nodes.blockquote.create(null, text("x"))],
    [table],
    [nodes.rule.create()],
    [nodes.paragraph.create(), text("more")],
    [nodes.paragraph.create()],
  ]) {
    for (const checked of [true, false]) {
      const list = nodes.bulletList.create(null, [item(checked, ...blocks), item(false, text("next"))]);
      const { text: written, source } = edited("x", (transform) => transform.replaceWith(0, transform.doc.content.size, list));
      assert.deepEqual(form(documentOf(parse(written).blocks)), form(source.doc), written);
    }
  }
});

test("paragraphs and lists that are pasted into a cell are lines of it", () => {
  for (const [pasted, isPlain, wanted] of [
    ["one\n\ntwo", false, "cone<br>two"],
    ["one\n\ntwo", true, "cone<br>two"],
    ["- one\n- **two**\n  - three", false, "cone<br>**two**<br>three"],
    ["```\na\nb\n```", false, "ca<br>b"],
    ["*one*", false, "c*one*"],
  ] as const) {
    const source = new MarkdownSource("| a | b |\n| --- | --- |\n| c | d |");
    const start = EditorState.create({ doc: source.doc });
    const state = start.apply(start.tr.setSelection(TextSelection.create(start.doc, placeOf(start.doc, "c") + 1)));
    const { doc } = state.apply(state.tr.replaceSelection(forCell(pastedText(pasted, isPlain))));
    assert.equal(source.update(doc), `| a | b |\n| --- | --- |\n| ${wanted} | d |`);
  }
  const cells = new Slice(parse("| a |\n| --- |").blocks[0]?.node.content ?? assert.fail(), 0, 0);
  assert.equal(forCell(cells), cells);
});

test("an image that gets a link stays", () => {
  for (const text of ["plan", "", "other"]) {
    const source = new MarkdownSource("see ![plan](https://a.eu/p.png) here");
    const start = EditorState.create({ doc: source.doc });
    const state = start.apply(start.tr.setSelection(TextSelection.create(start.doc, 5, 6)));
    assert.equal(linkAt(state, "link").text, "plan");
    let { doc } = state;
    setLink({ kind: "link", address: "x.eu", text })(state, (transaction) => ({ doc } = transaction));
    assert.equal(source.update(doc), "see [![plan](https://a.eu/p.png)](https://x.eu) here");
  }
});

/** The Markdown of what is typed, one character after another. */
function typed(text: string): string {
  const source = new MarkdownSource("");
  let state = EditorState.create({ doc: source.doc, plugins: [typedMarkdown] });
  for (const character of text) {
    const view = { state, composing: false, dispatch: (transaction: typeof state.tr) => (state = state.apply(transaction)) } as unknown as EditorView;
    const { from, to } = state.selection;
    if (typedMarkdown.props.handleTextInput?.call(typedMarkdown, view, from, to, character, () => state.tr) !== true) state = state.apply(state.tr.insertText(character));
  }
  return source.update(state.doc);
}

test("typed stars and dollars are marks where they mean that", () => {
  for (const [text, wanted] of [
    ["*one* and __two__", "*one* and **two**"],
    ["Café*, thé*", "Café*, thé*"],
    ["Учител*ки и ученик*", "Учител\\*ки и ученик\\*"],
    ["λόγος_a_", "λόγος_a_"],
    ["so $x^2$ and $n$th", "so $x^2$ and $n$th"],
    ["$5-$10 and $5/$6 each", "$5-$10 and $5/$6 each"],
    ["$5 (US$6)", "$5 (US$6)"],
    ["$x$5", "$x$5"],
  ] as const) {
    assert.equal(typed(text), wanted);
    const { blocks } = parse(typed(text));
    assert.equal(documentOf(blocks).textContent, text.replace(/(?<=^| )[*_]+(?=one|two)|(?<=one|two)[*_]+/g, ""));
  }
});

test("only marks that can't be written are left out", () => {
  const { code, strong } = schema.marks;
  const text = `${RICH} `.repeat(40).trim();
  const words = [schema.text("a"), schema.text("`", [strong.create(), code.create()]), schema.text("b ")];
  const result = edited(text, (transform) => transform.insert(1, words));
  assert.equal(result.text, `a\`\` \` \`\`b ${text}`);
});
