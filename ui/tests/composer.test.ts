// What the composer makes of what is typed, and of files.

import assert from "node:assert/strict";
import { test } from "vitest";
import { check, compose, decode, decompose, LARGEST_FILE, readText, Unreadable } from "../src/composer/files.ts";
import { asked, matching } from "../src/composer/typed.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const attached = (name: string, text: string) => ({ id: name, name, size: text.length, text });

test("a command is asked for at the very beginning only, a model after any white space", () => {
  assert.deepEqual(asked("/ne", 3), { kind: "command", words: "ne", from: 0 });
  assert.deepEqual(asked("/", 1), { kind: "command", words: "", from: 0 });
  assert.equal(asked("/etc/passwd", 11), null);
  assert.equal(asked("see /ne", 7), null);
  assert.equal(asked("/ne", 0), null);
  assert.equal(asked("/new chat", 9), null);
  assert.deepEqual(asked("ask @scr now", 8), { kind: "model", words: "scr", from: 4 });
  assert.equal(asked("me@example.org", 14), null);
});

test("the best names come first", () => {
  const options = ["export", "new", "rename", "renew"].map((name) => ({ name }));
  assert.deepEqual(matching(options, "ne").map(({ name }) => name), ["new", "renew", "rename"]);
  assert.deepEqual(matching(options, "xo").map(({ name }) => name), ["export"]);
  assert.deepEqual(matching(options, "zz"), []);
  assert.equal(matching(options, "").length, 4);
});

test("a file goes along in a fence that its own fences do not end", () => {
  assert.equal(compose("Look:", [attached("a.csv", "x;y\n1;2\n")]), "Look:\n\na.csv:\n```csv\nx;y\n1;2\n```");
  const nested = compose("", [attached("notes.md", "````\ncode\n````")]);
  assert.equal(nested, "notes.md:\n`````markdown\n````\ncode\n````\n`````");
  assert.equal(compose("only words", []), "only words");
});

test("text is read in the encodings that people have", () => {
  assert.equal(decode(bytes("\ufeffKäse\r\nBrot")), "Käse\nBrot");
  assert.equal(decode(new Uint8Array([0xff, 0xfe, 0x4b, 0x00, 0xe4, 0x00])), "Kä");
  assert.equal(decode(new Uint8Array([0x4b, 0xe4, 0x73, 0x65, 0x20, 0x80])), "Käse €");
  assert.equal(decode(new Uint8Array([0x50, 0x4b, 0x03, 0x04, 0x00])), null);
});

test("what cannot be read is refused by its name alone", () => {
  for (const [name, type, told] of [
    ["report.pdf", "application/pdf", /PDF and office/],
    ["letter.docx", "", /PDF and office/],
    ["photo.jpg", "image/jpeg", /pictures/],
    ["talk.mp3", "audio/mpeg", /recordings/],
  ] as const) {
    assert.throws(() => check({ name, type, size: 10 }), (error) => error instanceof Unreadable && told.test(error.message));
  }
  assert.throws(() => check({ name: "a.txt", type: "text/plain", size: LARGEST_FILE + 1 }), /“a\.txt” is 256 kB; the limit is 256 kB/);
  assert.throws(() => check({ name: "a.txt", type: "text/plain", size: 0 }), /empty/);
  check({ name: "main.ts", type: "video/mp2t", size: 5 });
  check({ name: "drawing.svg", type: "image/svg+xml", size: 5 });
  check({ name: "Makefile", type: "", size: 5 });
});

test("reading a file tells how far it is, and ends when it is cancelled", async () => {
  const shares: number[] = [];
  const file = new File(["x".repeat(200_000)], "x.txt");
  assert.equal((await readText(file, (share) => shares.push(share), new AbortController().signal)).length, 200_000);
  assert.equal(shares.at(-1), 1);
  const cancelled = AbortSignal.abort();
  await assert.rejects(readText(file, () => {}, cancelled), { name: "AbortError" });
  await assert.rejects(readText(new File([new Uint8Array([0, 1, 2])], "a.dat"), () => {}, new AbortController().signal), Unreadable);
});

test("a message is taken apart as it was put together", () => {
  const kinds = ["x;y\n1;2\n", "````\ncode\n````", "\n\na.csv:\n```csv\nx\n```", "one", "\n", "a\n\n\nb"];
  const names = ["a.csv", "notes.md", "Makefile", "odd: name.TXT"];
  for (const words of ["", "Look:", "Two\n\nparagraphs:\n```py\nx\n```\n\nand more"]) {
    for (const [i, text] of kinds.entries()) {
      const files = [attached(names[i % names.length] ?? "", text), attached("b.txt", kinds.at(-1 - i) ?? "")];
      const found = decompose(compose(words, files));
      assert.equal(found.text, words);
      assert.deepEqual(found.files.map(({ name }) => name), files.map(({ name }) => name));
      assert.deepEqual(found.files.map((file) => file.text.trimEnd()), files.map((file) => file.text.trimEnd()));
    }
  }
});

test("a fence that a person wrote is no file", () => {
  for (const words of ["Fix this:\n```\nx\n```", "Fix this:\n```py\nx\n```", "a.csv:\n```csv\nx\n```\n\nWhat is it?", "a.csv:\n```csv\nx"]) {
    assert.deepEqual(decompose(words), { text: words, files: [] });
  }
});
