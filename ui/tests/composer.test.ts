// The composer's triggers, and its files.

import assert from "node:assert/strict";
import { test } from "vitest";
import { ApiError } from "../src/api/client.ts";
import { splitFencedFiles } from "../src/lib/fencedFiles.ts";
import { Uploads, type UploadTarget } from "../src/state/uploads.svelte.ts";
import { findTrigger, matchOptions } from "../src/features/composer/trigger.ts";
import type { FileState } from "../src/api/files.ts";

/** A message as old pages, without uploads, made it. */
function compose(words: string, files: readonly (readonly [name: string, language: string, text: string])[]): string {
  const fenced = files.map(([name, language, text]) => {
    const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
    const fence = "`".repeat(longest + 1);
    return `${name}:\n${fence}${language}\n${text.replace(/\n$/, "")}\n${fence}`;
  });
  return [words, ...fenced].filter((part) => part !== "").join("\n\n");
}

test("a command triggers at the very beginning only, a model or library after any white space", () => {
  assert.deepEqual(findTrigger("/ne", 3), { kind: "command", words: "ne", from: 0 });
  assert.deepEqual(findTrigger("/", 1), { kind: "command", words: "", from: 0 });
  assert.equal(findTrigger("/etc/passwd", 11), null);
  assert.equal(findTrigger("see /ne", 7), null);
  assert.equal(findTrigger("/ne", 0), null);
  assert.equal(findTrigger("/new chat", 9), null);
  assert.deepEqual(findTrigger("ask @scr now", 8), { kind: "mention", words: "scr", from: 4 });
  assert.equal(findTrigger("me@example.org", 14), null);
});

test("the best names come first", () => {
  const options = ["export", "new", "rename", "renew"].map((name) => ({ name }));
  assert.deepEqual(matchOptions(options, "ne").map(({ name }) => name), ["new", "renew", "rename"]);
  assert.deepEqual(matchOptions(options, "xo").map(({ name }) => name), ["export"]);
  assert.deepEqual(matchOptions(options, "zz"), []);
  assert.equal(matchOptions(options, "").length, 4);
});

test("a message with files in fences is split into the parts it was made of", () => {
  const kinds = ["x;y\n1;2\n", "````\ncode\n````", "\n\na.csv:\n```csv\nx\n```", "one", "\n", "a\n\n\nb"];
  const names = [["a.csv", "csv"], ["notes.md", "markdown"], ["Makefile", "text"], ["odd: name.TXT", "text"]] as const;
  for (const words of ["", "Look:", "Two\n\nparagraphs:\n```py\nx\n```\n\nand more"]) {
    for (const [i, text] of kinds.entries()) {
      const [name, language] = names[i % names.length] ?? names[0];
      const files = [[name, language, text], ["b.txt", "text", kinds.at(-1 - i) ?? ""]] as const;
      const found = splitFencedFiles(compose(words, files));
      assert.equal(found.text, words);
      assert.deepEqual(found.files.map((file) => file.name), files.map(([one]) => one));
      assert.deepEqual(found.files.map((file) => file.text.trimEnd()), files.map(([, , one]) => one.trimEnd()));
    }
  }
});

test("a fence that a person wrote is not a file", () => {
  for (const words of ["Fix this:\n```\nx\n```", "Fix this:\n```py\nx\n```", "a.csv:\n```csv\nx\n```\n\nWhat is it?", "a.csv:\n```csv\nx"]) {
    assert.deepEqual(splitFencedFiles(words), { text: words, files: [] });
  }
});

/** A server for uploads: each waits for the test, and can be cut off. */
class UploadServer implements UploadTarget {
  readonly pending = new Map<string, PromiseWithResolvers<FileState>>();
  readonly uploaded: string[] = [];
  maxPending = 0;

  async send(file: File, progress: (share: number) => void, signal: AbortSignal): Promise<FileState> {
    const promised = Promise.withResolvers<FileState>();
    this.pending.set(file.name, promised);
    this.maxPending = Math.max(this.maxPending, this.pending.size);
    signal.addEventListener("abort", () => promised.reject(new DOMException("aborted", "AbortError")));
    progress(0.5);
    try {
      return await promised.promise;
    } finally {
      this.pending.delete(file.name);
    }
  }

  onUploaded({ name }: FileState): void {
    this.uploaded.push(name);
  }

  finish(name: string): void {
    const rest = { id: name, size: 1, media: "", created: 0, library: null, pages: null, pages_read: 0, chunks: 0, embedded: 0, fault: null, remarks: [] };
    this.pending.get(name)?.resolve({ ...rest, name, state: "queued" });
  }
}

const named = (...names: string[]) => names.map((name) => new File(["x"], name));
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

test("files are uploaded a few at a time, each with its progress", async () => {
  const server = new UploadServer();
  const uploads = new Uploads(server, 2);
  uploads.add(named("a", "b", "c"));
  await settle();
  assert.deepEqual(uploads.files.map(({ name, share }) => [name, share]), [["a", 0.5], ["b", 0.5], ["c", 0]]);
  server.finish("b");
  await settle();
  server.finish("a");
  server.finish("c");
  await settle();
  assert.deepEqual([server.uploaded, server.maxPending, uploads.files.length, uploads.pending], [["b", "a", "c"], 2, 0, 0]);
});

test("a refused file stays with the reason, and can be retried or dropped", async () => {
  const server = new UploadServer();
  const uploads = new Uploads(server);
  uploads.add(named("a", "b"));
  await settle();
  assert.deepEqual([...server.pending.keys()], ["a"]);
  server.pending.get("a")?.reject(new ApiError(413, "too_large", "a is too large."));
  await settle();
  server.finish("b");
  await settle();
  const [left] = uploads.files;
  assert.deepEqual([left?.name, left?.problem, uploads.pending], ["a", "a is too large.", 0]);
  uploads.retry(left?.id ?? "");
  await settle();
  assert.equal(uploads.pending, 1);
  uploads.drop(left?.id ?? "");
  await settle();
  assert.deepEqual([uploads.files, server.uploaded, server.pending.size], [[], ["b"], 0]);
});
