// Dictation: when it ends, what becomes of the words, and the microphone of the browser.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test, vi } from "vitest";
import { Client } from "../src/api/client.ts";
import type { DictatedText, Speech } from "../src/api/speech.ts";
import { movedCaret } from "../src/lib/movedCaret.ts";
import { Dictation } from "../src/state/dictation.svelte.ts";
import { DictatedRecording } from "../src/state/dictatedRecording.ts";
import { RecordingText } from "../src/state/recordingText.ts";
import { Microphone } from "./microphone.ts";

vi.mock("../src/state/microphone.svelte.ts", () => import("./microphone.ts"));

const { Microphone: BrowserMicrophone } = await vi.importActual<typeof import("../src/state/microphone.svelte.ts")>("../src/state/microphone.svelte.ts");
const ANY = { chosen: "", likely: [] };
let shown: string[];
let ends: number;
let replies: (DictatedText | Error | Promise<DictatedText>)[];

beforeEach(() => {
  shown = [];
  ends = 0;
  replies = [];
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function said(text: string, heard_until: number, speech_end: number | null): DictatedText {
  const segments = text === "" ? [] : [{ start: 0, end: 2, text, log_probability: -0.3, silence_probability: 0, compression_ratio: 1.1 }];
  return { segments, language: "en", heard_until, speech_end };
}

async function begun(): Promise<Dictation> {
  const dictate = async () => {
    const reply = replies.shift() ?? new Error("asked once too often");
    if (reply instanceof Error) throw reply;
    return reply;
  };
  const parts = async () => ({ listening: { state: "ready" } });
  const speech = { parts, dictate, warmDictation: async () => undefined } as unknown as Speech;
  const dictation = new Dictation({ speech, languages: () => ANY, write: (text) => shown.push(text), onend: () => (ends += 1) });
  await dictation.start();
  assert.equal(dictation.phase, "listening");
  return dictation;
}

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

test("in a noise, it ends once voice activity detection hears nobody speak", async () => {
  const spoke = await begun();
  replies = [said("Buy some bread.", 4, 2), said("Buy some bread.", 5, 2), said("Buy some bread.", 5.5, 2)];
  for (const phase of ["listening", "idle"]) {
    Microphone.last.options.ontick(true);
    Microphone.last.flush();
    await settled();
    assert.equal(spoke.phase, phase);
  }
  assert.deepEqual([shown.at(-1), spoke.problem, ends], ["Buy some bread.", null, 1]);
  const silent = await begun();
  replies = [said("", 14, null), said("", 15.5, null), said("", 16, null)];
  for (const phase of ["listening", "idle"]) {
    Microphone.last.options.ontick(true);
    Microphone.last.flush();
    await settled();
    assert.equal(silent.phase, phase);
  }
  assert.equal(silent.problem, "nothing");
});

test("silence ends it, but not the time in which a busy machine didn't listen", async () => {
  const dictation = await begun();
  replies = [said("Buy some bread.", 2, 2), said("Buy some bread and milk.", 8, 6)];
  Microphone.last.flush();
  await settled();
  const { ontick } = Microphone.last.options;
  let now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => now);
  for (const [ticks, intervalMs, phase] of [[1, 3000, "listening"], [40, 50, "listening"], [20, 50, "idle"]] as const) {
    for (let tick = 0; tick < ticks; tick++) {
      now += intervalMs;
      ontick(false);
    }
    await settled();
    assert.equal(dictation.phase, phase);
  }
  assert.equal(shown.at(-1), "Buy some bread and milk.");
});

test("who sends waits for the last words, unless they are lost", async () => {
  const dictation = await begun();
  const last = Promise.withResolvers<DictatedText>();
  replies = [last.promise];
  const both = Promise.all([dictation.stop(), dictation.stop()]);
  await settled();
  assert.equal(dictation.phase, "finishing");
  last.resolve(said("Buy bread and milk.", 3, 2));
  assert.deepEqual(await both, [true, true]);
  assert.deepEqual(shown, ["Buy bread and milk."]);
  assert.equal(await dictation.stop(), true);
  const failed = await begun();
  replies = [new Error("broken")];
  assert.equal(await failed.stop(), false);
  const cancelled = await begun();
  replies = [new Promise<DictatedText>(() => undefined)];
  const stopped = cancelled.stop();
  cancelled.cancel();
  await cancelled.start();
  replies = [said("Again.", 3, 2)];
  assert.equal(await cancelled.stop(), true);
  void stopped;
});

test("who leaves keeps the words so far, and so does who gives the microphone away", async () => {
  for (const leave of [(dictation: Dictation) => dictation.leave(), () => Microphone.last.options.ontaken()]) {
    const dictation = await begun();
    replies = [said("Buy some bread.", 2, 2)];
    Microphone.last.flush();
    await settled();
    leave(dictation);
    assert.deepEqual([dictation.active, Microphone.last.isOpen, shown.at(-1), ends], [false, false, "Buy some bread.", 0]);
  }
  const cancelled = await begun();
  cancelled.cancel();
  assert.deepEqual([shown.at(-1), ends], ["", 1]);
});

test("the caret stays where it was in the text that grows around it", () => {
  for (const [before, after, moved] of [
    ["Note:| end", "Note: one end", "Note: one| end"],
    ["Note: one| end", "Note: one two end", "Note: one two| end"],
    ["No|te: one end", "Note: one two end", "No|te: one two end"],
    ["Note: one e|nd", "Note: one two end", "Note: one two e|nd"],
    ["Note: one end|", "Note: end", "Note: end|"],
    ["|", "one", "one|"],
    ["Note: o|ne", "Note:", "Note:|"],
    ["See you|.", "See you. Till then.", "See you|. Till then."],
    ["See you.|", "See you. Till then.", "See you. Till then.|"],
    ["I know |that.", "I know that. Do you believe that.", "I know |that. Do you believe that."],
    ["Note: on| end", "Note: an one end", "Note: an one| end"],
    ["Note: on| end", "Note: one two end", "Note: one two| end"],
    ["Note: no| end", "Note: no no end", "Note: no no| end"],
    ["N|ote: no end", "Note: no no end", "N|ote: no no end"],
    ["a|", "a", "a|"],
  ] as const) {
    const place = movedCaret(before.replace("|", ""), after, before.indexOf("|"));
    assert.equal(`${after.slice(0, place)}|${after.slice(place)}`, moved);
  }
});

test("a request that is never answered counts as lost", async () => {
  const given: AbortSignal[] = [];
  vi.spyOn(AbortSignal, "timeout").mockReturnValue(AbortSignal.abort(new DOMException("late", "TimeoutError")));
  const dictate = async (_recording: File, _languages: unknown, _after: number, signal: AbortSignal) => {
    given.push(signal);
    return said("", 1, null);
  };
  await new RecordingText({ dictate } as unknown as Speech, ANY).update(new DictatedRecording(), new AbortController().signal);
  assert.equal(given[0]?.reason.name, "TimeoutError");
  let requests = 0;
  class Request extends EventTarget {
    readonly upload = {};
    onabort = () => undefined;
    open() {}
    setRequestHeader() {}
    send() {
      requests += 1;
    }
    abort() {
      this.onabort();
    }
  }
  vi.stubGlobal("XMLHttpRequest", Request);
  const client = new Client({ key: null, askKey: async () => null, explain: ({ kind }) => kind });
  for (const [reason, wanted] of [
    [new DOMException("late", "TimeoutError"), { status: 0, message: "upload" }],
    [new DOMException("gone", "AbortError"), { name: "AbortError" }],
  ] as const) {
    const ending = new AbortController();
    const sent = client.upload("/api/speech/dictation", new File([], "recording"), () => undefined, ending.signal);
    ending.abort(reason);
    await assert.rejects(sent, wanted);
    await assert.rejects(client.upload("/api/speech/dictation", new File([], "recording"), () => undefined, ending.signal), wanted);
  }
  assert.equal(requests, 2, "what is given up already isn't sent");
});

/** A browser whose microphone gives these streams or errors in turn. */
function browser(...given: (Promise<object> | DOMException)[]): void {
  const devices = { getUserMedia: async () => {
    const next = given.shift();
    if (next instanceof DOMException || next === undefined) throw next;
    return next;
  } };
  class Sound {
    readonly state = "running";
    createAnalyser = () => ({ fftSize: 8 });
    createMediaStreamSource = () => ({ connect: () => undefined });
    close = async () => undefined;
  }
  class Ticks {
    terminate() {}
  }
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("self", { location: new URL("http://localhost/") });
  vi.stubGlobal("AudioContext", Sound);
  vi.stubGlobal("Worker", Ticks);
  vi.stubGlobal("navigator", { mediaDevices: devices });
}

class Track {
  readyState = "live";
  stop(): void {
    this.readyState = "ended";
  }
}

function stream(track: Track): object {
  return { getTracks: () => [track], getAudioTracks: () => [track] };
}

test("a microphone that another program has isn't one that is missing", async () => {
  for (const [name, problem] of [["NotFoundError", "none"], ["NotAllowedError", "refused"], ["NotReadableError", "lost"], ["AbortError", "lost"]] as const) {
    browser(new DOMException("", name));
    const opened = new BrowserMicrophone({ sliceMs: 1, onslice() {}, ontick() {}, onlost() {}, ontaken() {} });
    assert.equal(await opened.open(() => true), problem);
  }
});

test("one use of the microphone ends another, and a permission that comes late ends none", async () => {
  const first = Promise.withResolvers<object>();
  const [late, open, other] = [new Track(), new Track(), new Track()];
  browser(first.promise, Promise.resolve(stream(open)), Promise.resolve(stream(other)));
  let taken = 0;
  const options = { sliceMs: 1, onslice() {}, ontick() {}, onlost() {} };
  const one = new BrowserMicrophone({ ...options, ontaken: () => (taken += 1) });
  let wanted = true;
  const opening = one.open(() => wanted);
  wanted = false;
  assert.equal(await one.open(() => true), null);
  first.resolve(stream(late));
  await opening;
  assert.deepEqual([late.readyState, open.readyState, taken], ["ended", "live", 0]);
  const two = new BrowserMicrophone({ ...options, ontaken() {} });
  await two.open(() => true);
  assert.deepEqual([taken, other.readyState], [1, "live"]);
  one.close();
  two.close();
});
