// Web search in words: steps in a line, outcomes, addresses, dates.

import assert from "node:assert/strict";
import { test } from "vitest";
import { isSourceWarning, passagesNamedIn, stepsSummary } from "../src/lib/answer.ts";
import { parseResearchCommand, researchQuestions } from "../src/lib/research.ts";
import { nextWebMode } from "../src/state/webSearch.svelte.ts";
import { newestDay, publicationDay, serviceNames, siteName, stepOutcome, totalMilliseconds, webAddress, webOrigin } from "../src/lib/web.ts";
import { formatMilliseconds } from "../src/lib/format.ts";
import type { StepOutcome, Passage, Step } from "../src/api/events.ts";

function step(kind: Step["kind"], milliseconds: number | null, outcome: StepOutcome | null = null, count: number | null = null): Step {
  return { step: "s", kind, title: "https://www.example.org/a", milliseconds, outcome, count, done: null, of: null, preview: null, seconds_left: null };
}

function passage(number: number, url: string | null, published: string | null): Passage {
  const place = { page: 1, label: null, heading: [], start: 0, end: 1, text: "x", member: null, breaks: [], computation: null };
  return { number, file: "page_1", name: "Title", ...place, url, published };
}

const LOOKED = [
  step("ask", 300, "done", 12),
  step("ask", 500, "nothing", 0),
  step("ask", 1200, "late"),
  step("fetch", 1800, "done"),
  step("fetch", 400, "wall"),
  step("fetch", 90, "failed"),
];

test("the summary is one line", () => {
  assert.equal(stepsSummary(LOOKED), "3 services, 2 of 3 pages read · 2.1 s");
  assert.equal(stepsSummary(LOOKED.slice(0, 1)), "1 service · 300 ms");
  assert.equal(stepsSummary([step("fetch", 20, "done")]), "1 of 1 page read · 20 ms");
  assert.equal(stepsSummary([step("load", 1500), step("search", 20)]), "2 steps · 1.5 s");
  assert.equal(stepsSummary([{ ...step("load", 2500), title: "Loading Muse" }]), "Loading Muse · 2.5 s");
});

test("parallel steps take as long as the slowest", () => {
  assert.equal(totalMilliseconds(LOOKED), 2100);
  assert.equal(totalMilliseconds([step("ask", 100), step("ask", 4000)]), 4000);
  assert.equal(totalMilliseconds([step("load", 100), step("read", 50), step("ask", null)]), 150);
  assert.equal(totalMilliseconds([]), 0);
  assert.equal(formatMilliseconds(41.6), "42 ms");
});

test("each outcome has words, and an unfinished step has none", () => {
  assert.deepEqual(LOOKED.map(stepOutcome), ["12 results", "nothing found", "timed out", "read", "only partly shown", "failed"]);
  assert.equal(stepOutcome(step("fetch", 5, "refused")), "not allowed");
  assert.equal(stepOutcome(step("ask", 5, "done")), "");
  assert.equal(stepOutcome(step("ask", null)), "");
});

test("only a web address can be opened", () => {
  assert.equal(webAddress("https://example.org/a b"), "https://example.org/a%20b");
  for (const url of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "example.org", "", null]) assert.equal(webAddress(url), null);
  assert.equal(siteName("https://www.example.org:8080/a"), "example.org:8080");
});

test("dates are written in the language, and the newest is found", () => {
  assert.equal(publicationDay("2026-11-24"), "24 November 2026");
  assert.equal(publicationDay("lately"), "lately");
  assert.equal(webOrigin(passage(1, "https://www.example.org/a", "2026-11-24")), "example.org, 24 November 2026");
  assert.equal(webOrigin(passage(1, "https://example.org/a", null)), "example.org");
  const passages = [passage(1, "https://a.example", "2026-11-02"), passage(2, "https://b.example", "2026-11-24"), passage(3, null, "2026-12-01"), passage(4, "https://c.example", null)];
  assert.equal(newestDay(passages), "2026-11-24");
  assert.equal(newestDay(passages.slice(2)), null);
});

test("a notice leads to the sources that it names", () => {
  const notice = { code: "contradicted", message: "Sources [1] and [3] differ: 12 and 15 [9].", language: null } as const;
  const passages = [1, 2, 3].map((number) => passage(number, "https://example.org", null));
  assert.deepEqual(passagesNamedIn(notice, passages).map(({ number }) => number), [1, 3]);
  assert.deepEqual([isSourceWarning(notice), isSourceWarning({ ...notice, code: "web_auto" })], [true, false]);
});

test("the switch goes from off to auto, on, and off again", () => {
  assert.deepEqual([nextWebMode(null), nextWebMode("off"), nextWebMode("auto"), nextWebMode("on")], ["auto", "auto", "on", "off"]);
});

test("services are named with their jurisdiction", () => {
  const service = (title: string, jurisdiction: string, asked = true) => ({ title, jurisdiction, asked });
  assert.equal(serviceNames([service("Wikipedia", "US"), service("Mojeek", "GB", false), service("News feeds", "machine")]), "Wikipedia (US), News feeds (this machine)");
});

test("a report is recognized by its questions, each with its steps", () => {
  const step = (step: string, kind: Step["kind"]): Step => ({ step, kind, title: step, milliseconds: 1, outcome: "done", count: 1, done: null, of: null, preview: null, seconds_left: null });
  const steps = [step("2", "search"), step("1", "search"), step("1.wikipedia", "ask"), step("2.p1", "fetch"), step("12.p1", "fetch"), step("load", "load")];
  const found = researchQuestions({ steps, agents: [] }).map(({ step, steps }) => [step.step, ...steps.map((one) => one.step)]);
  assert.deepEqual(found, [["1", "1.wikipedia"], ["2", "2.p1"]]);
  assert.deepEqual(researchQuestions({ steps: [step("search", "search"), step("p1", "fetch")], agents: [] }), []);
});

test("the research command's text is the topic", () => {
  assert.deepEqual(["/research", " /research  two words\nmore ", "/researching", "on /research"].map(parseResearchCommand), ["", "two words\nmore", null, null]);
});
