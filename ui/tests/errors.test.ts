// Errors are shown in the page's language, and the server's own text is never lost.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, test, vi } from "vitest";
import { answerEnding } from "../src/lib/answer.ts";
import { Api } from "../src/api/api.ts";
import { ApiError } from "../src/api/client.ts";
import { setLanguage, type Translation } from "../src/lib/i18n/translate.ts";
import { describeCallFault, describeError, describeNotice, describeReport, errorAction, explain } from "../src/lib/errors.ts";
import type { Message, NoticeCode } from "../src/api/events.ts";
import en from "../src/lib/i18n/en.json";

const ENGLISH = "conv_a is still answering; stop that answer or wait for it.";
const german: Translation = {
  ...en,
  problemInput: "So geht es nicht.",
  problemConflict: "Dort ist noch etwas im Gang.",
  problemBusy: "Die Maschine ist beschäftigt.",
  problemInternal: "In Éclair ging etwas schief.",
  keyTitle: "Dieses Éclair fragt nach seinem Schlüssel",
  leftOut: "Die ältesten Nachrichten fehlen.",
  problemDetail: "Auf Englisch: {text}",
};

afterEach(() => {
  vi.restoreAllMocks();
  setLanguage("en", en);
});

test("in English the server's text is shown", () => {
  for (const code of ["conflict", "unauthorized", "never heard of"]) assert.equal(describeError(code, ENGLISH, 409), ENGLISH);
  assert.equal(describeNotice({ code: "not_saved", message: "The disk is full.", language: null }), "The disk is full.");
});

test("in another language the page's own sentence comes first", () => {
  setLanguage("de", german);
  assert.equal(describeError("conflict", ENGLISH), `Dort ist noch etwas im Gang. Auf Englisch: ${ENGLISH}`);
  assert.equal(describeError("engine_busy", "x"), "Die Maschine ist beschäftigt. Auf Englisch: x");
  assert.equal(describeError("unauthorized", "x"), "Dieses Éclair fragt nach seinem Schlüssel Auf Englisch: x");
  assert.equal(describeNotice({ code: "history_trimmed", message: "x", language: null }), "Die ältesten Nachrichten fehlen. Auf Englisch: x");
});

test("each limit at which a model had to answer has a sentence of its own", () => {
  const sentences = { stepsLimited: "Schritte.", timeLimited: "Zeit.", costLimited: "Kosten.", callsRepeated: "Wiederholt." };
  setLanguage("de", { ...german, ...sentences });
  const codes: NoticeCode[] = ["steps_limited", "time_limited", "cost_limited", "calls_repeated"];
  const told = codes.map((code) => describeNotice({ code, message: "x", language: null }));
  assert.deepEqual(told, Object.values(sentences).map((sentence) => `${sentence} Auf Englisch: x`));
});

test("why a call failed is said in the person's language, in words for calls where there are any", () => {
  const fault = { code: "late", message: "The call took longer than 30 seconds and was stopped." };
  assert.equal(describeCallFault(fault), fault.message);
  setLanguage("de", { ...german, callLate: "Zu lange.", callDown: "Der Dienst fehlt.", problemMissing: "Das gibt es nicht." });
  assert.equal(describeCallFault(fault), `Zu lange. Auf Englisch: ${fault.message}`);
  assert.equal(describeCallFault({ code: "engine_unavailable", message: "x" }), "Der Dienst fehlt. Auf Englisch: x");
  assert.equal(describeCallFault({ code: "not_found", message: "x" }), "Das gibt es nicht. Auf Englisch: x");
  assert.equal(describeCallFault({ code: "of a newer server", message: "x" }), "In Éclair ging etwas schief. Auf Englisch: x");
});

test("a command line is a detail, in English too, and a button takes its place", () => {
  const report = { code: "model_missing", message: "It is not here; `eclair pull x` fetches it." };
  assert.deepEqual(describeReport(report), { sentence: en.problemModel, details: report.message });
  assert.equal(errorAction("model_missing")?.section, "models");
  assert.deepEqual(describeReport({ code: "conflict", message: ENGLISH }), { sentence: ENGLISH, details: "" });
  setLanguage("de", german);
  assert.deepEqual(describeReport({ code: "conflict", message: ENGLISH }), { sentence: "Dort ist noch etwas im Gang.", details: ENGLISH });
});

test("every code of the server has a text of its own", () => {
  const codes = [...readFileSync("src/api/events.ts", "utf8").matchAll(/^  \| "(\w+)"/gm)].map(([, code]) => code ?? "");
  assert.ok(codes.includes("key_refused") && codes.length > 30);
  setLanguage("de", { ...en, problemInternal: "unknown" } as Translation);
  const unknown = codes.filter((code) => describeReport({ code, message: "x" }).sentence === "unknown");
  assert.deepEqual(unknown, ["error"]);
});

test("unknown codes fall back to the status, or to the server's text", () => {
  setLanguage("de", german);
  assert.match(describeError("brand_new", "x", 409), /^Dort ist noch etwas im Gang/);
  assert.match(describeError("brand_new", "x", 429), /^Die Maschine ist beschäftigt/);
  assert.match(describeError("brand_new", "x", 418), /^So geht es nicht/);
  for (const code of ["brand_new", "toString", ""]) assert.match(describeError(code, "x"), /^In Éclair ging etwas schief/);
  assert.equal(describeNotice({ code: "brand_new" as NoticeCode, message: "x", language: null }), "x");
});

test("a failed answer says why in the current language", () => {
  const failed = { status: "failed", fault: { code: "engine_busy", message: "Busy for 5 s." } } as Message;
  assert.equal(answerEnding(failed)?.text, "Busy for 5 s.");
  setLanguage("de", german);
  assert.equal(answerEnding(failed)?.text, "Die Maschine ist beschäftigt. Auf Englisch: Busy for 5 s.");
});

test("a refused call is an error that a person can read", async () => {
  setLanguage("de", german);
  const error = { code: "conflict", message: ENGLISH, param: null, run: "run_a" };
  vi.spyOn(globalThis, "fetch").mockImplementation(async () => Response.json({ error }, { status: 409 }));
  const api = new Api({ key: null, askKey: async () => null, explain });
  await assert.rejects(api.conversations.removeAll(), (thrown: unknown) => {
    assert.ok(thrown instanceof ApiError);
    assert.equal(thrown.message, `Dort ist noch etwas im Gang. Auf Englisch: ${ENGLISH}`);
    assert.deepEqual([thrown.status, thrown.code, thrown.run], [409, "conflict", "run_a"]);
    return true;
  });
});
