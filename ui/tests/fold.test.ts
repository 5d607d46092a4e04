import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import type { Event, Message } from "../src/api/events.ts";
import { fold, messageText } from "../src/api/fold.ts";

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

test("folding does not change earlier messages", () => {
  let message: Message | null = null;
  for (const event of read("tool_call.jsonl")) {
    const before: string = JSON.stringify(message);
    const after = fold(message, event);
    assert.equal(JSON.stringify(message), before);
    message = after;
  }
  assert.equal(message && messageText(message), "Let me look. ");
});

test("a run begins with run.started", () => {
  assert.throws(() => fold(null, { type: "run.stopped", seq: 1 }));
});

test("a message stored half-way and continued ends the same", () => {
  for (const name of names) {
    const events = read(name);
    const whole = events.reduce<Message | null>(fold, null);
    for (let at = 0; at <= events.length; at++) {
      const half = events.slice(0, at).reduce<Message | null>(fold, null);
      const kept = JSON.parse(JSON.stringify(half)) as Message | null;
      assert.deepEqual(events.slice(at).reduce<Message | null>(fold, kept), whole, `${name} at ${at}`);
    }
  }
});

test("a resumed answer keeps its text, and a step is finished once", () => {
  const start = { type: "run.started", run: "r", message: "m", conversation: "c", parent: "q", model: "m", created: 1, continues: null, seq: 1 } as const;
  const step = { type: "step.started", step: "s", kind: "load", title: "Loading" } as const;
  const events: Event[] = [
    start,
    { type: "part.started", index: 0, kind: "text", id: null, name: null, round: null, seq: 2 },
    { type: "part.delta", index: 0, text: "half", seq: 3 },
    { type: "run.stopped", seq: 4 },
    { ...start, run: "r2", continues: "r" },
    { ...step, seq: 2 },
    { type: "step.finished", step: "s", milliseconds: 10, outcome: null, count: null, seq: 3 },
    { ...step, seq: 4 },
    { type: "step.finished", step: "s", milliseconds: 20, outcome: "done", count: 4, seq: 5 },
  ];
  const message = events.reduce<Message | null>(fold, null);
  assert.deepEqual([message?.run, message?.status, message && messageText(message)], ["r2", "running", "half"]);
  assert.deepEqual(message?.steps.map(({ milliseconds, outcome, count }) => [milliseconds, outcome, count]), [[10, null, null], [20, "done", 4]]);
});
