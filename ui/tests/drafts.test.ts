// Drafts in the tabs of one browser: each tab has its own, and a closed one's is adopted by exactly one.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test, vi } from "vitest";

type Drafts = typeof import("../src/state/drafts.ts");
type Storage = typeof import("../src/lib/storage.ts");
type Tabs = typeof import("../src/lib/tabs.ts");

beforeEach(() => localStorage.clear());

afterEach(() => {
  vi.restoreAllMocks();
});

/** A tab with the browser's shared storage and a memory of its own. One that never asks counts as closed. */
async function tab(copied = false): Promise<Drafts & Storage & Tabs> {
  vi.resetModules();
  if (!copied) sessionStorage.clear();
  const [drafts, storage, tabs] = await Promise.all([import("../src/state/drafts.ts"), import("../src/lib/storage.ts"), import("../src/lib/tabs.ts")]);
  tabs.tabId();
  return { ...drafts, ...storage, ...tabs };
}

const draft = (text: string) => ({ text, files: [], libraries: [] });

async function inherited(tab: Drafts): Promise<string[]> {
  const taken: string[] = [];
  await tab.adoptDrafts("conv", ({ text }) => taken.push(text));
  return taken;
}

test("two tabs write in one conversation, each its own draft", async () => {
  const [one, other] = [await tab(), await tab()];
  await Promise.all([one.openTabs(), other.openTabs()]);
  one.writeDraft("conv", { ...draft("mine"), model: "big" });
  other.writeDraft("conv", draft("yours"));
  assert.deepEqual(one.readDraft("conv"), { text: "mine", model: "big", files: [], libraries: [] });
  assert.equal(other.readDraft("conv").text, "yours");
  assert.deepEqual(one.readDraft("other"), draft(""));
  assert.deepEqual([await inherited(one), await inherited(other)], [[], []]);
  one.writeDraft("conv", draft(""));
  assert.equal(one.storedNames("eclair.draft.").length, 1);
});

test("the draft of a closed tab is adopted completely, by one tab", async () => {
  const closed = await tab();
  const file = { id: "f", name: "a.txt", size: 1, media: "text/plain" };
  closed.writeDraft("conv", { text: "left", files: [file], libraries: [] });
  const [one, other] = [await tab(), await tab()];
  await Promise.all([one.openTabs(), other.openTabs()]);
  const taken: unknown[] = [];
  await Promise.all([one.adoptDrafts("conv", (left) => taken.push(left)), other.adoptDrafts("conv", (left) => taken.push(left))]);
  assert.deepEqual(taken, [{ text: "left", files: [file], libraries: [] }]);
  assert.deepEqual(one.storedNames("eclair.draft."), []);
});

test("a duplicated tab takes an id of its own", async () => {
  const one = await tab();
  const copy = await tab(true);
  assert.equal(one.tabId(), copy.tabId());
  await one.openTabs();
  const open = await copy.openTabs();
  assert.notEqual(one.tabId(), copy.tabId());
  assert.ok(open.has(one.tabId()) && open.has(copy.tabId()));
});

test("one tab acts at a time, and a held lock is visible", async () => {
  const [one, other] = [await tab(), await tab()];
  const done: string[] = [];
  const act = (name: string, of: Tabs) =>
    of.withLock("line", async () => {
      done.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      done.push(`${name} ends`);
    });
  await Promise.all([act("one", one), act("other", other)]);
  assert.deepEqual(done, ["one begins", "one ends", "other begins", "other ends"]);
  const release = one.holdLock("message");
  await vi.waitFor(async () => assert.ok(await other.isLockHeld("message")));
  await release();
  assert.equal(await other.isLockHeld("message"), false);
});

test("without storage the page remembers, and knows what would be lost", async () => {
  const one = await tab();
  vi.spyOn(localStorage, "setItem").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  one.writeDraft("conv", draft("long"));
  assert.deepEqual([one.readDraft("conv").text, one.isDraftPersistent("conv"), one.hasUnstoredText()], ["long", false, true]);
  assert.equal(one.storedNames("eclair.draft.").length, 1);
  vi.restoreAllMocks();
  one.writeDraft("conv", draft("longer"));
  assert.deepEqual([one.readDraft("conv").text, one.isDraftPersistent("conv"), one.hasUnstoredText()], ["longer", true, false]);
});

test("broken stored values are ignored", async () => {
  const one = await tab();
  localStorage.setItem(`eclair.draft.conv@${one.tabId()}`, '{"text": ');
  assert.deepEqual(one.readDraft("conv"), draft(""));
});

test("a new chat keeps its id while there is a draft in it", async () => {
  const one = await tab();
  assert.notEqual(one.newConversationId(), one.newConversationId());
  one.writeDraft(one.NEW_CHAT, { ...draft("words"), conversation: "conv_1" });
  assert.equal(one.newConversationId(), "conv_1");
});
