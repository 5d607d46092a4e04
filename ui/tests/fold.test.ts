import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import type { Event, Message } from "../src/events.ts";
import { fold, words } from "../src/fold.ts";

const STREAMS = join(import.meta.dirname, "../../tests/streams");
const names = readdirSync(STREAMS).filter((name) => name.endsWith(".jsonl"));

function read(name: string): Event[] {
  const lines = readFileSync(join(STREAMS, name), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Event);
}

assert.ok(names.length > 0);
for (const name of names) {
  test(`${name} folds to its message`, () => {
    const expected: unknown = JSON.parse(readFileSync(join(STREAMS, name.replace(".jsonl", ".message.json")), "utf8"));
    assert.deepEqual(read(name).reduce<Message | null>(fold, null), expected);
  });
}

test("folding changes no message that was handed out", () => {
  let message: Message | null = null;
  for (const event of read("tool_call.jsonl")) {
    const before: string = JSON.stringify(message);
    const after = fold(message, event);
    assert.equal(JSON.stringify(message), before);
    message = after;
  }
  assert.equal(message && words(message), "Let me look. ");
});

test("a run begins with its start", () => {
  assert.throws(() => fold(null, { type: "run.stopped", seq: 1 }));
});
