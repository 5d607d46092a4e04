import assert from "node:assert/strict";
import { test } from "vitest";
import type { Call, CallOutcome } from "../src/api/events.ts";
import { callOutcome, callSummary } from "../src/lib/callSummary.ts";

function call(tool: string, summary = "As the server says it"): Call {
  return {
    call: "call_1",
    tool,
    access: "read",
    summary,
    needs_approval: false,
    scope: "",
    decision: null,
    decided_by: null,
    has_begun: false,
    outcome: null,
    milliseconds: null,
    sent_bytes: 0,
    passages: [],
    agent: null,
    elicitations: [],
    once_only: false,
    progress: null,
    fault: null,
  };
}

test.each([
  ["search_web", { query: "tides  in\nGent" }, "Search the web for “tides in Gent”"],
  ["read_page", { url: "https://example.org" }, "Read https://example.org"],
  ["read_document", { file: "a.pdf", page: null, start: 1 }, "Read a.pdf"],
  ["read_document", { file: "a.pdf", page: 3 }, "Read a.pdf, page 3"],
  ["calculate", { expression: "3 km", to: "m" }, "Calculate 3 km → m"],
  ["calculate_dates", { operation: "describe", date: "today" }, "Calculate with the date today"],
  ["run_python", { code: "1 + 1" }, "Run Python code"],
  ["read_skill", { skill: "data-check" }, "Read the skill data-check"],
  ["read_skill", { skill: "minutes", file: "form.md" }, "Read form.md of the skill minutes"],
  ["files__read_file", { path: "/a", lines: [1, 2] }, "Use “read_file” of the MCP server files · path: /a, lines: [1,2]"],
  ["files__resources", { uri: "" }, "List the resources of the MCP server files"],
  ["some_new_tool", { a: 1 }, "As the server says it"],
])("%s says what it does", (tool, input, expected) => {
  const summary = tool.includes("__") ? "Use “it”" : "As the server says it";
  assert.equal(callSummary(call(tool, summary), JSON.stringify(input)), expected);
});

test("a packaged skill has a name of the page's, and one's own of that name its own", () => {
  const script = '{"skill": "data-check", "script": "scripts/count.py"}';
  const run = (skill: string) => callSummary(call("run_skill_script", `Run scripts/count.py of ${skill}`), script);
  assert.equal(run("the packaged skill data-check"), "Run scripts/count.py of the skill Data check");
  assert.equal(run("the skill data-check"), "Run scripts/count.py of the skill data-check");
  const read = call("read_skill", "Read the packaged skill data-check");
  assert.equal(callSummary(read, '{"skill": "data-check"}'), "Read the skill Data check");
});

test("a tool that is not there is told as the server tells it", () => {
  assert.equal(callSummary(call("files__read_file", "Call files__read_file"), '{"path": "/a"}'), "Call files__read_file");
});

test("a call that can't be made is told by the tool's name", () => {
  for (const code of ["unknown_tool", "bad_arguments"]) {
    const unmade = { ...call("search_web"), fault: { code, message: "x" } };
    for (const input of ["{", '{"words": "tides"}']) assert.equal(callSummary(unmade, input), "Used search_web");
  }
});

test("a canvas is named by the server's sentence", () => {
  const change = call("edit_canvas", "Change the canvas “Letter “draft””");
  assert.equal(callSummary(change, '{"canvas": "canv_1", "changes": [{"find": "a"}]}'), "Change the canvas “Letter “draft””");
  assert.equal(callSummary(change, '{"canvas": "canv_1", "changes": []}'), "Read the canvas “Letter “draft””");
});

test("arguments that are no object leave the server's sentence", () => {
  for (const input of ["", "{", "[1]", "null", '"text"']) {
    assert.equal(callSummary(call("search_web"), input), "As the server says it");
  }
  const long = callSummary(call("search_web"), JSON.stringify({ query: "x".repeat(500) }));
  assert.ok(long.length < 200 && long.includes("…"));
});

test("how a call ended is said unless it is done, under way, or not known", () => {
  const outcomes: (CallOutcome | null)[] = ["failed", "late", "declined", "stopped", "done", "unknown", null];
  assert.deepEqual(outcomes.map(callOutcome), ["failed", "timed out", "declined", "stopped", null, null, null]);
});

test("a call is told while its arguments come", () => {
  const told = (tool: string, input: string) => callSummary({ tool, summary: `Used ${tool}` }, input, true);
  assert.equal(told("search_web", '{"que'), "Used search_web");
  assert.equal(told("search_web", '{"query": "'), "Used search_web");
  assert.equal(told("search_web", '{"query": "tides in Ge'), "Search the web for “tides in Ge”");
  assert.equal(told("read_document", '{"page": 3, "file": "'), "Used read_document");
  assert.equal(told("read_skill", '{"skill": "minutes", "file": "'), "Used read_skill");
  assert.equal(told("run_skill_script", '{"skill": "minutes", "script": "'), "Used run_skill_script");
  assert.equal(told("edit_canvas", '{"canvas": "canv_1", '), "Used edit_canvas");
  assert.equal(told("calculate", '{"expression": "3 km", "to": "'), "Calculate 3 km");
  assert.equal(told("run_python", '{"code": "'), "Run Python code");
  assert.equal(told("web__find", '{"a": 1'), "Used web__find");
});
