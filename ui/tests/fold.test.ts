import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { Event, Message } from "../src/events.ts";
import { fold, words } from "../src/fold.ts";

const STREAMS = new URL("../../tests/streams/", import.meta.url);
const names = readdirSync(STREAMS).filter((name) => name.endsWith(".jsonl"));

function read(name: string): Event[] {
  const lines = readFileSync(new URL(name, STREAMS), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Event);
}

assert.ok(names.length > 0);
for (const name of names) {
  test(`${name} folds to its message`, () => {
    const expected: unknown = JSON.parse(readFileSync(new URL(name.replace(".jsonl", ".message.json"), STREAMS), "utf8"));
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
