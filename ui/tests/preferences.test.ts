// Preferences: applied at once, and stored on the server when it can be reached.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test, vi } from "vitest";
import { Api } from "../src/api/api.ts";
import type { StoredPreferences } from "../src/api/preferences.ts";
import { Preferences } from "../src/state/preferences.svelte.ts";
import { useFakeTime, advanceTime, until } from "./time.ts";
import { refusal, wire } from "./wire.ts";
import { explain } from "../src/lib/errors.ts";

const MIRROR = "eclair.preferences";
const worn = vi.fn();
let stored: StoredPreferences;
let puts: StoredPreferences[];

beforeEach(() => {
  useFakeTime();
  localStorage.clear();
  puts = [];
  stored = { version: 1, language: null, theme: "system", contrast: "normal", text_size: 1, motion: "system", send_key: "enter", model: null, pinned_models: [], instructions: "", draws: true, follow_ups: false, show_presence: true, memory: true, read_aloud: false, speech_speed: 1, speech_voices: [], speech_language: null, voice_cues: true, shortcuts: {} };
  vi.spyOn(document.documentElement, "setAttribute").mockImplementation(worn);
  wire(server);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  worn.mockClear();
  connect.mockClear();
});

function server({ method, body }: { method: string; body: unknown }): unknown {
  if (method !== "PUT") return stored;
  const wanted = body as StoredPreferences;
  puts.push(wanted);
  if (wanted.version !== stored.version) return refusal(409, "They were changed elsewhere.");
  stored = { ...wanted, version: stored.version + 1 };
  return stored;
}

function dead(): never {
  throw new TypeError("network");
}

const connect = vi.fn();
const preferences = () => new Preferences(new Api({ key: null, askKey: async () => null, explain }), connect);

test("the stream of changes starts again once it is stored whether others see who is here", async () => {
  const mine = preferences();
  await mine.refresh();
  mine.change({ theme: "dark" });
  await until(() => mine.progress === "saved");
  assert.equal(connect.mock.calls.length, 0);
  connect.mockImplementation(() => assert.equal(stored.show_presence, false));
  mine.change({ show_presence: false });
  await until(() => mine.progress === "saved");
  assert.equal(connect.mock.calls.length, 1);
  stored = { ...stored, version: stored.version + 1, show_presence: true };
  connect.mockReset();
  await mine.refresh();
  assert.equal(connect.mock.calls.length, 1, "it was changed elsewhere");
});

test("a change applies at once, and is sent once the typing pauses", async () => {
  const mine = preferences();
  await mine.refresh();
  mine.change({ theme: "dark" });
  await advanceTime(300);
  mine.change({ text_size: 1.25 });
  await advanceTime(300);
  assert.deepEqual([mine.now.theme, mine.now.text_size, mine.progress, puts.length], ["dark", 1.25, "saving", 0]);
  assert.ok(worn.mock.calls.some(([name, value]) => name === "data-theme" && value === "dark"));
  await until(() => mine.progress === "saved");
  assert.equal(puts.length, 1);
  assert.deepEqual([stored.theme, stored.text_size, stored.version], ["dark", 1.25, 2]);
});

test("a change made offline survives a reload, and is sent when there is a connection", async () => {
  const mine = preferences();
  await mine.refresh();
  wire(dead);
  mine.change({ instructions: "Be brief." });
  await until(() => mine.progress === "waiting");
  assert.equal(mine.now.instructions, "Be brief.");
  const reopened = preferences();
  assert.equal(reopened.now.instructions, "Be brief.");
  await reopened.refresh();
  assert.equal(stored.instructions, "");
  wire(server);
  await reopened.begin();
  dispatchEvent(new Event("online"));
  await until(() => reopened.progress === "saved");
  assert.equal(stored.instructions, "Be brief.");
});

test("two devices that change different things keep both", async () => {
  const mine = preferences();
  await mine.refresh();
  stored = { ...stored, version: 7, model: "big" };
  mine.change({ theme: "light" });
  await until(() => mine.progress === "saved");
  assert.deepEqual([stored.model, stored.theme, mine.now.model, puts.length], ["big", "light", "big", 2]);
});

test("a change that the server rejects is undone, with its reason", async () => {
  const mine = preferences();
  await mine.refresh();
  wire(({ method }) => (method === "PUT" ? refusal(422, "That is too long.") : stored));
  mine.change({ instructions: "x".repeat(100_000) });
  await until(() => mine.problem !== null);
  assert.deepEqual([mine.problem, mine.now.instructions, mine.progress], ["That is too long.", "", null]);
  assert.equal(preferences().now.instructions, "");
});

test("a change made while an earlier one is being sent is sent after it", async () => {
  const mine = preferences();
  await mine.refresh();
  const gate = Promise.withResolvers<void>();
  wire(async (request) => {
    if (request.method === "PUT") await gate.promise;
    return server(request);
  });
  mine.change({ theme: "dark" });
  await advanceTime(500);
  mine.change({ theme: "light", motion: "less" });
  await advanceTime(500);
  gate.resolve();
  await until(() => mine.progress === "saved");
  assert.deepEqual(puts.map(({ theme, motion }) => [theme, motion]), [["dark", "system"], ["light", "less"]]);
  assert.equal(mine.now.theme, "light");
});

test("a change in another tab applies here too", async () => {
  const mine = preferences();
  await mine.begin();
  preferences().change({ theme: "dark" });
  dispatchEvent(Object.assign(new Event("storage"), { key: MIRROR }));
  assert.equal(mine.now.theme, "dark");
});

test("a broken mirror is ignored", () => {
  localStorage.setItem(MIRROR, "{");
  assert.equal(preferences().now.theme, "system");
  assert.equal(localStorage.getItem(MIRROR), null);
});
