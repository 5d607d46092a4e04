// Conversation by voice and dictation: when the person has ended, what is an echo, and where the words stand.

import assert from "node:assert/strict";
import { test, vi } from "vitest";
import { ApiError } from "../src/api/client.ts";
import type { DictatedText, Speech } from "../src/api/speech.ts";
import { DictatedDraft } from "../src/lib/dictatedDraft.ts";
import { isEcho } from "../src/lib/echo.ts";
import { silenceThatEnds } from "../src/lib/endOfSpeech.ts";
import { DictatedRecording } from "../src/state/dictatedRecording.ts";
import { RecordingText } from "../src/state/recordingText.ts";

const ANY = { chosen: "", likely: [] };

function segment(text: string, log_probability = -0.3, silence_probability = 0, compression_ratio = 1.1): DictatedText["segments"][number] {
  return { start: 0, end: 2, text, log_probability, silence_probability, compression_ratio };
}

function said(segments: DictatedText["segments"], more: Partial<DictatedText> = {}): DictatedText {
  return { segments, language: "en", heard_until: 3, speech_end: 2, ...more };
}

/** The words of a recording for which the server says these in turn. */
async function recorded(...replies: readonly (DictatedText | Error)[]): Promise<{ words: RecordingText; asked: number }> {
  const waiting = [...replies];
  let asked = 0;
  const dictate = async () => {
    asked += 1;
    const reply = waiting.shift();
    if (reply === undefined || reply instanceof Error) throw reply ?? new Error("asked once too often");
    return reply;
  };
  const words = new RecordingText({ dictate } as unknown as Speech, ANY, 0.5);
  await words.update(new DictatedRecording(), new AbortController().signal);
  return { words, asked };
}

test.each([
  ["What time is it?", "en", 450],
  ["Turn on the light.", "en", 450],
  ["« Il est parti. »", "fr", 450],
  ["Τι ώρα είναι;", "el", 450],
  ["いま何時ですか？", "ja", 450],
  ["Why, and?", "en", 450],
  ["I bought apples;", "en", 1200],
  ["Turn on the light", "en", 1200],
  ["First of all,", "en", 1200],
  ["I want tea and.", "en", 1200],
  ["Ich komme später, weil.", "de", 1200],
  ["Chcę herbatę i.", "pl", 1200],
  ["Well...", "en", 1200],
  ["Well…", "en", 1200],
  ["", "", 1200],
])("after %j in %j it waits %i ms", (text, language, wait) => {
  assert.equal(silenceThatEnds(text, language), wait);
});

test("an echo is what was being read, as far as it was understood", () => {
  const sentence = "Then the lamps burn until the boats are in.";
  for (const heard of ["The lamps burn until", "then the lambs burn until the boats", "Boats are in."]) assert.ok(isEcho(heard, sentence), heard);
  for (const heard of ["", "Stop.", "boats", "How many boats are there?", "Wait, which lamps?", "In until then."]) assert.ok(!isEcho(heard, sentence), heard);
  assert.ok(!isEcho("The lamps burn", ""));
  const question = "Shall I explain the first law or the second law?";
  for (const choice of ["The second law.", "the first law"]) assert.ok(!isEcho(choice, question), choice);
  assert.ok(isEcho("Shall I explain the first law?", question));
});

test("what is typed meanwhile stays", () => {
  const words = new DictatedDraft("Note: end", 5);
  assert.equal(words.write("Note: end", "one"), "Note: one end");
  assert.equal(words.write("My note: one end", "one two"), "My note: one two end");
  assert.equal(words.write("My note: one two end!", "one two three"), "My note: one two three end!");
  assert.equal(words.write("My note: 1, 2, 3 end!", "one two three four"), "My note: 1, 2, 3 end! four");
  assert.equal(words.write("My note: 1, 2, 3 end! four", ""), "My note: 1, 2, 3 end!");
  const empty = new DictatedDraft("");
  assert.equal(empty.write("", "one"), "one");
  assert.equal(empty.write("one", "one two"), "one two");
  assert.equal(empty.end, "one two".length);
  const again = new DictatedDraft("");
  assert.equal(again.write("", "yes"), "yes");
  assert.equal(again.write("yes or yes", "yes I do"), "yes I do or yes");
  const behind = new DictatedDraft("no, no", 3);
  assert.equal(behind.write("no, no", "no"), "no, no no");
  assert.equal(behind.end, "no, no".length);
  assert.equal(behind.write("Oh, no, no no", "no way"), "Oh, no, no way no");
});

test("a request that fails is sent once more, with the same sound", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const lost = new ApiError(0, "unreachable", "Nobody answers.");
  const twice = recorded(lost, said([segment("Hello.")]));
  await vi.runAllTimersAsync();
  assert.deepEqual([(await twice).words.text, (await twice).asked], ["Hello.", 2]);
  const failed = recorded(lost, new ApiError(503, "busy", "Too busy."));
  const refused = assert.rejects(failed, /Too busy/);
  await vi.runAllTimersAsync();
  await refused;
  await assert.rejects(recorded(new ApiError(413, "too_large", "Too long.")), /Too long/);
  vi.useRealTimers();
});

test("sound whose words are settled isn't sent again, unless a browser's recordings can't be cut", async () => {
  const recording = new DictatedRecording();
  for (let number = 1; number <= 60; number += 1) recording.append(new Blob([`${number} `]), number / 2);
  const whole = await recording.whole.text();
  const heard = [{ ...segment("One."), start: 0, end: 18 }, { ...segment("Two."), start: 18, end: 20 }];
  let replies: (DictatedText | Error)[] = [said(heard), said([segment("Two."), segment("Three.")], { heard_until: 27 })];
  let sent: [string, number, boolean][] = [];
  const dictate: Speech["dictate"] = async (sound, _languages, after, _signal, isPartial = false) => {
    sent.push([await sound.text(), after, isPartial]);
    const reply = replies.shift();
    if (reply === undefined || reply instanceof Error) throw reply ?? new Error("asked once too often");
    return reply;
  };
  const words = new RecordingText({ dictate } as unknown as Speech, ANY);
  const { signal } = new AbortController();
  await words.update(recording, signal);
  await words.update(recording, signal);
  const since = whole.slice(whole.indexOf("31 "));
  assert.deepEqual([sent, words.text], [[[whole, 0, false], [`1 ${since}`, 18, true]], "One. Two. Three."]);
  const refusal = new ApiError(422, "unreadable_file", "It lacks sound.");
  const misplaced = said([], { heard_until: 26.9, speech_end: null });
  for (const reply of [refusal, misplaced]) {
    const cut = new RecordingText({ dictate } as unknown as Speech, ANY);
    [sent, replies] = [[], [said(heard), reply, said([segment("Two.")]), said([segment("Two!")])]];
    for (let number = 0; number < 3; number += 1) await cut.update(recording, signal);
    assert.deepEqual(sent, [[whole, 0, false], [`1 ${since}`, 18, true], [whole, 18, false], [whole, 18, false]]);
    assert.equal(cut.text, "One. Two!");
  }
  assert.deepEqual([recording.from(0), recording.from(7.9), new DictatedRecording().from(18)], [null, null, null]);
});

test("words that the model makes up are unsure", async () => {
  for (const [segments, unsure] of [
    [[segment("Turn on the light.", -0.3)], false],
    [[segment("Thank you.", -0.7, 0.9)], true],
    [[segment("Thank you.", -0.7, 0.2)], false],
    [[segment("The heart and loss", -1.1)], true],
    [[segment("I said that I said that", -0.3, 0, 5.5)], true],
    [[segment("Turn on the light.", -0.3), segment("Hm.", -1.2)], false],
    [[], false],
  ] as const) {
    const { words } = await recorded(said(segments));
    assert.equal(words.isUnsure, unsure, JSON.stringify(segments));
  }
});

test("voice activity tells how long nobody has spoken", async () => {
  const spoke = (await recorded(said([segment("Hello.")]))).words;
  assert.deepEqual([spoke.hasSpeech, spoke.silenceMs], [true, 1000]);
  const noise = (await recorded(said([], { speech_end: null, language: null }))).words;
  assert.deepEqual([noise.hasSpeech, noise.silenceMs], [false, 2500]);
});
