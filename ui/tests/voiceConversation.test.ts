// A conversation by voice, with a microphone, a recognizer and a voice that a test plays.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test, vi } from "vitest";
import type { DictatedText, Speech, SpokenLanguages } from "../src/api/speech.ts";
import { Conversation } from "../src/state/conversation.svelte.ts";
import type { Preferences } from "../src/state/preferences.svelte.ts";
import type { ReadAloud } from "../src/state/readAloud.svelte.ts";
import { VoiceConversation } from "../src/state/voiceConversation.svelte.ts";
import { Microphone } from "./microphone.ts";
import { Server } from "./server.ts";
import { until } from "./time.ts";

vi.mock("../src/state/microphone.svelte.ts", () => import("./microphone.ts"));

const TICK_MS = 50;
let server: Server;
let conversation: Conversation;
let voice: VoiceConversation;
let languages: SpokenLanguages;
/** The words that the recognizer understands next, or a promise of them. */
let heard: string | Promise<string>;
/** The languages that it was asked for. */
let asked: string[];
/** The answers that were read aloud. */
let read: string[];
let refusal: string | null;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  localStorage.clear();
  server = new Server();
  languages = { chosen: "", likely: [] };
  [heard, asked, read, refusal] = ["", [], [], null];
  conversation = new Conversation(
    { api: server, answerOptions: () => ({}), refusal: () => refusal, existing: async ({ files, libraries: chosen }) => ({ files, libraries: chosen }), onChange: () => undefined },
    "conv_1",
    false,
  );
  const readAloud = { phase: "idle", active: false, problem: null, recent: "", stop() {}, pause() {}, resume() {}, warm: async () => undefined, startOnce: (_: Conversation, id: string) => read.push(id) };
  const ready = { state: "ready" };
  const speech = { parts: async () => ({ listening: ready, speaking: ready }), warmDictation: async () => undefined, dictate };
  const preferences = { now: { voice_cues: false, speech_language: null }, get spokenLanguages() { return languages; } };
  voice = new VoiceConversation({ speech: speech as unknown as Speech, readAloud: readAloud as unknown as ReadAloud, preferences: preferences as unknown as Preferences, conversation });
});

afterEach(() => {
  voice.leave();
  vi.useRealTimers();
});

async function dictate(_: File, { chosen }: SpokenLanguages): Promise<DictatedText> {
  asked.push(chosen);
  const text = await heard;
  const segments = text === "" ? [] : [{ start: 0, end: 1, text, log_probability: -0.3, silence_probability: 0, compression_ratio: 1.1 }];
  return { segments, language: "en", heard_until: 2, speech_end: 2 };
}

async function pass(milliseconds: number, isLoud: boolean): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += TICK_MS) {
    await vi.advanceTimersByTimeAsync(TICK_MS);
    Microphone.last.options.ontick(isLoud);
  }
  await new Promise((resolve) => setImmediate(resolve));
}

/** Speak until these words are recognized, and be silent. */
async function say(text: string): Promise<void> {
  heard = text;
  await pass(500, true);
  Microphone.last.flush();
  await pass(2000, false);
}

test("what was said is sent, and its answer is read", async () => {
  await voice.start();
  await say("Why?");
  await until(() => read.length === 1);
  assert.deepEqual([server.sentTexts, voice.phase, conversation.draft], [["Why?"], "thinking", ""]);
  server.end();
  await until(() => voice.phase === "listening");
});

test("words that follow while others are recognized are sent with them", async () => {
  await voice.start();
  const first = Promise.withResolvers<string>();
  heard = first.promise;
  await pass(500, true);
  await pass(1500, false); // it is asked for in the pause, and waited for
  assert.equal(voice.phase, "recognizing");
  await pass(500, true);
  await pass(1500, false);
  assert.deepEqual([asked.length, voice.phase], [1, "recognizing"]);
  heard = "I want tea.";
  first.resolve("I want");
  await until(() => read.length === 1);
  assert.deepEqual(server.sentTexts, ["I want tea."]);
});

test("after a failed answer, another is requested and read", async () => {
  await voice.start();
  await say("Why?");
  await until(() => read.length === 1);
  server.end({ type: "run.failed", code: "engine_broken", message: "It broke." });
  await until(() => voice.phase === "off");
  const failed = conversation.path.at(-1);
  assert.ok(failed !== undefined && typeof voice.problem === "object");
  await voice.start(failed);
  await until(() => read.length === 2);
  assert.deepEqual([server.turns.length, (server.turns[1] as { spoken?: boolean }).spoken, voice.phase, read], [2, true, "thinking", [failed.id, conversation.requested]]);
  server.end();
  await until(() => voice.phase === "listening");
});

test("while an answer waits for a click, speech interrupts nothing", async () => {
  await voice.start();
  await say("Delete the file.");
  await until(() => read.length === 1);
  server.run?.add({ type: "run.waiting" });
  await until(() => voice.phase === "asking");
  await pass(1000, true);
  assert.equal(voice.phase, "asking");
  server.run?.add({ type: "run.resumed" });
  await until(() => voice.phase === "thinking");
  server.end();
  await until(() => voice.phase === "listening");
});

test("words that can't be queued behind an answer are kept, and why is said", async () => {
  await voice.start();
  await say("Why?");
  await until(() => read.length === 1);
  refusal = "No model is installed.";
  await say("And how?");
  await until(() => voice.phase === "off");
  assert.deepEqual([voice.problem, conversation.draft, server.stopped], [{ report: refusal }, "And how?", []]);
});

test("a sound without words interrupts nothing, and is left out of what follows", async () => {
  await voice.start();
  await say("Why?");
  await until(() => read.length === 1);
  const { recordings } = Microphone.last;
  await say("");
  assert.deepEqual([voice.phase, server.turns.length, Microphone.last.recordings], ["thinking", 1, recordings + 1]);
});

test("a language that is chosen counts at once", async () => {
  await voice.start();
  await pass(200, true);
  Microphone.last.flush();
  await pass(100, true);
  languages = { chosen: "de", likely: [] };
  Microphone.last.flush();
  await pass(100, true);
  assert.deepEqual(asked, ["", "de"]);
});

test("who leaves keeps the words so far, and who ends it throws them away", async () => {
  for (const [end, draft] of [[() => voice.leave(), "So far"], [() => Microphone.last.options.ontaken(), "So far"], [() => voice.stop(), ""]] as const) {
    conversation.write("");
    await voice.start();
    heard = "So far";
    await pass(500, true);
    Microphone.last.flush();
    await pass(100, true);
    assert.equal(conversation.draft, "So far");
    end();
    assert.deepEqual([conversation.draft, voice.phase, Microphone.last.isOpen], [draft, "off", false]);
  }
});
