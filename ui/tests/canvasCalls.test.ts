// Calls on canvases whose arguments are still coming, and the JSON that they come as.

import assert from "node:assert/strict";
import { test } from "vitest";
import type { Call, Message, Part } from "../src/api/events.ts";
import { applyChanges, canvasCall, growingCanvasSummary, pendingChanges, stoppedCanvasSummary, wordChange } from "../src/lib/canvas/calls.ts";
import { growingJson } from "../src/lib/growingJson.ts";
import { random } from "./random.ts";

const WORDS = ["", "a", 'say "hi"', "line\nbreak\t", "\\", "é𝄞👩‍🚀", "\u0001", "{[,:]}", "__proto__"];

/** A random value of objects, lists, words and numbers. */
function anyValue(next: () => number, depth: number): unknown {
  const pick = Math.floor(next() * (depth > 3 ? 3 : 5));
  const word = () => WORDS[Math.floor(next() * WORDS.length)] ?? "";
  const several = <T>(make: () => T) => Array.from({ length: Math.floor(next() * 4) }, make);
  if (pick === 0) return [true, false, null, -1.5e3, 0][Math.floor(next() * 5)];
  if (pick < 3) return word() + word();
  if (pick === 3) return several(() => anyValue(next, depth + 1));
  return Object.fromEntries(several(() => [word(), anyValue(next, depth + 1)] as const));
}

/** JSON of a value, with spaces and escapes as some models write them. */
function written(value: unknown, next: () => number): string {
  const json = JSON.stringify(value, null, next() < 0.5 ? 2 : undefined);
  return next() < 0.5 ? json : json.replace(/[^\x00-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** True where `early` is `late` as far as it had come. */
function leadsTo(early: unknown, late: unknown): boolean {
  if (early === undefined || Object.is(early, late)) return true;
  if (typeof early === "string") return typeof late === "string" && late.startsWith(early);
  if (typeof early !== "object" || early === null || typeof late !== "object" || late === null) return false;
  return Object.entries(early).every(([name, value]) => Object.hasOwn(late, name) && leadsTo(value, (late as Record<string, unknown>)[name]));
}

test("whatever has come of JSON leads to what it is in the end", () => {
  const next = random(20261201);
  for (let round = 0; round < 60; round++) {
    const value = { all: anyValue(next, 0) };
    const json = written(value, next);
    let before: unknown;
    for (let end = 0; end <= json.length; end++) {
      const found = growingJson(json.slice(0, end));
      assert.ok(leadsTo(before, found), json.slice(0, end));
      before = found;
    }
    assert.deepEqual(before, value);
  }
});

test("what is no JSON is read as far as it is, whatever its depth", () => {
  assert.equal(growingJson("nonsense "), undefined);
  assert.deepEqual(growingJson('{"a": "b" "c": 1}'), { a: "b" });
  assert.deepEqual(growingJson('{"a": "two\nlines"}'), { a: "two\nlines" });
  assert.doesNotThrow(() => growingJson('{"a":'.repeat(100_000)));
  assert.doesNotThrow(() => growingJson("[".repeat(100_000)));
});

test("a text is read while it comes", () => {
  const call = '{"title": "Letter", "language": "markdown", "text": "Dear \\"Ada\\",\\n\\u00e9';
  assert.equal(canvasCall(call).text, 'Dear "Ada",\né');
  assert.equal(canvasCall(call.slice(0, -3)).text, 'Dear "Ada",\n');
  assert.equal(growingCanvasSummary({ name: "open_canvas", text: call }), "Open the canvas “Letter”");
  assert.equal(growingCanvasSummary({ name: "open_canvas", text: '{"title": "Le' }), "");
  assert.equal(stoppedCanvasSummary({ name: "open_canvas", text: '{"title": "Le' }), "Open the canvas “Le”");
  assert.equal(stoppedCanvasSummary({ name: "open_canvas", text: "{" }), "Canvas");
  assert.equal(stoppedCanvasSummary({ name: "edit_canvas", text: '{"changes": [{"old": "a"' }), "Canvas");
  assert.deepEqual(canvasCall('{"changes": ["x", {"old": 1, "new": "y"}], "text": 2}').changes, [{ old: "", new: null }, { old: "", new: "y" }]);
});

test("a change marks whole words", () => {
  assert.deepEqual(wordChange("the bred is ready", "the bread is ready"), { before: "the ", gone: "bred", put: "bread", after: " is ready" });
  assert.deepEqual(wordChange("gone", ""), { before: "", gone: "gone", put: "", after: "" });
  for (const [old, put] of [["a b c", "a x b c"], ["aa", "a"], ["one", "one two"], ["", "new"], ["same", "same"]] as const) {
    const { before, gone, put: words, after } = wordChange(old, put);
    assert.equal(before + gone + after, old);
    assert.equal(before + words + after, put);
  }
});

test("changes are made one after another, as far as they have come", () => {
  const text = "Dear Ada, the bred is ready.";
  const changes = [{ old: "Ada", new: "$& Grace" }, { old: "bred", new: "br" }, { old: "rea", new: null }];
  assert.equal(applyChanges(text, changes), "Dear $& Grace, the br is ready.");
  assert.equal(applyChanges(text, [{ old: "e", new: "x" }]), null);
  assert.equal(applyChanges(text, [{ old: "nowhere", new: "x" }]), null);
  assert.equal(applyChanges("aaa", [{ old: "aa", new: "b" }]), "ba"); // Python's count is 1
  assert.equal(applyChanges("aaaa", [{ old: "aa", new: "b" }]), null);
});

test("changes are pending until the canvas has them, and no longer once they failed or the answer ended", () => {
  const call = (outcome: Call["outcome"], more: Partial<Call> = {}) => ({ call: "c", outcome, needs_approval: false, decision: null, ...more }) as Call;
  const part = (kind: Part["kind"], text: string): Part => ({ kind, text, id: "c", name: "edit_canvas", round: 0 });
  const asked = part("tool_call", '{"canvas": "canv_1", "changes": [{"old": "a", "new": "b"}]}');
  const made = part("tool_result", "The canvas is changed; it is version 2 now.");
  const count = (calls: readonly Call[], parts: readonly Part[], status: Message["status"], current = 1) => pendingChanges({ calls, parts, status }, "canv_1", current).length;
  assert.equal(count([], [asked], "running"), 1);
  assert.equal(count([], [asked, { ...asked, id: "d" }], "running"), 2); // both come in one round
  assert.equal(count([], [asked, { ...part("text", "Let me see."), id: null }], "running"), 0); // it was cut off earlier
  assert.equal(count([call(null, { needs_approval: true })], [asked], "running"), 0);
  assert.equal(count([call(null, { needs_approval: true })], [asked], "waiting"), 0);
  assert.equal(count([call(null, { needs_approval: true, decision: "once" })], [asked], "running"), 1);
  assert.equal(count([call("done")], [asked, made], "running"), 1);
  assert.equal(count([call("done")], [asked, made], "running", 2), 0);
  assert.equal(count([call("declined")], [asked, part("tool_result", "No.")], "running"), 0);
  assert.equal(count([], [asked], "stopped"), 0);
  assert.equal(pendingChanges(null, "canv_1", 1).length, 0);
  assert.equal(pendingChanges({ calls: [], parts: [asked], status: "running" }, "canv_2", 1).length, 0);
});
