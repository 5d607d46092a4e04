// The list of conversations: read page by page, filtered, searched, and updated while it changes elsewhere.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test, vi } from "vitest";
import { Api } from "../src/api/api.ts";
import type { Conversation, Hit } from "../src/api/events.ts";
import { NO_SETTINGS } from "../src/api/conversations.ts";
import { Conversations } from "../src/state/conversations.svelte.ts";
import { random } from "./random.ts";
import { useFakeTime, advanceTime, until } from "./time.ts";
import { type Answering, refusal, type Request, wire } from "./wire.ts";
import { explain } from "../src/lib/errors.ts";

let stored: Conversation[];
let asked: Request[];
let readings: number;

beforeEach(() => {
  useFakeTime();
  stored = [];
  asked = [];
  readings = 0;
  wire(server);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const server: Answering = (request) => {
  asked.push(request);
  const { method, path, query, body } = request;
  if (path === "/api/conversations/tags") return { tags: [...new Set(stored.flatMap(({ tags }) => tags))].map((tag) => ({ tag, count: 1 })) };
  if (path === "/api/search") return { names: [], hits: hits(Number(query.get("limit")), query.get("q") ?? "") };
  if (path === "/api/conversations") return page(query);
  const id = path.split("/")[3];
  const found = stored.find((one) => one.id === id);
  if (found === undefined) return refusal(404, "It is not there.");
  if (method === "DELETE") {
    stored = stored.filter((one) => one !== found);
    return new Response(null, { status: 204 });
  }
  if (method === "GET") return { conversation: found, messages: [], running: null };
  const changed = { ...found, ...(body as object) };
  stored = stored.map((one) => (one === found ? changed : one));
  return changed;
};

function page(query: URLSearchParams) {
  const tag = query.get("tag");
  const archived = query.get("archived") === "true";
  const wanted = stored.filter((one) => one.archived === archived && (tag === null || one.tags.includes(tag)));
  const rest = wanted.filter(({ pinned }) => !pinned || archived).toSorted((a, b) => b.updated - a.updated);
  const from = query.has("before") ? rest.findIndex(({ id }) => id === query.get("before")) : 0;
  const to = from + Number(query.get("limit"));
  return { pinned: from === 0 && !archived ? wanted.filter(({ pinned }) => pinned) : [], conversations: rest.slice(from, to), next: rest[to]?.id ?? null };
}

function hits(count: number, words: string): Hit[] {
  return Array.from({ length: count }, (_, i) => ({ conversation: `c${i}`, title: "", message: `m${i}`, role: "user", created: 0, excerpt: words }));
}

function one(id: string, updated: number, more: Partial<Conversation> = {}): Conversation {
  return { id, owner: "", title: id, created: 0, updated, leaf: null, pinned: false, archived: false, tags: [], ...NO_SETTINGS, branched_from: null, project_id: null, unread: false, assistant_id: null, ...more };
}

function many(count: number): void {
  stored = Array.from({ length: count }, (_, i) => one(`c${i}`, Date.now() - i * 3_600_000));
}

function list(): Conversations {
  return new Conversations(new Api({ key: null, askKey: async () => null, explain }), () => (readings += 1));
}

const ids = (conversations: readonly Conversation[]) => conversations.map(({ id }) => id);

test("the list is read page by page to its end, each conversation once", async () => {
  many(520);
  const shown = list();
  await shown.refresh();
  assert.deepEqual([shown.all.length, shown.loaded, readings], [50, true, 1]);
  assert.equal(shown.sections.at(-1)?.complete, false);
  await Promise.all([shown.loadOlder(), shown.loadOlder()]);
  assert.equal(shown.all.length, 250);
  while (shown.next !== null) await shown.loadOlder();
  assert.deepEqual(ids(shown.all), ids(stored));
  assert.equal(shown.sections.at(-1)?.complete, true);
  await shown.loadOlder();
  assert.equal(asked.length, 4);

  stored.unshift(one("new", Date.now() + 1));
  await shown.refresh();
  assert.deepEqual(ids(shown.all), ids(stored));
  stored = stored.filter(({ id }) => id !== "c300");
  await shown.refresh(true);
  assert.deepEqual(ids(shown.all), ids(stored));
});

test("a failure to load older conversations is shown, and can be retried", async () => {
  many(60);
  const shown = list();
  await shown.refresh();
  wire(() => refusal(503, "Not now."));
  await shown.loadOlder();
  assert.deepEqual([shown.failed, shown.all.length], [true, 50]);
  wire(server);
  await shown.loadOlder();
  assert.deepEqual([shown.failed, shown.all.length], [false, 60]);
});

test("every conversation is in one section, in order", async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const next = random(seed);
    stored = Array.from({ length: 30 }, (_, i) => one(`c${i}`, Date.now() - Math.floor(next() ** 4 * 4e10), { pinned: next() < 0.1 }));
    const shown = list();
    await shown.refresh();
    const sections = shown.sections.map(({ name }) => name);
    assert.equal(new Set(sections).size, sections.length, `seed ${seed}: ${sections.join()}`);
    assert.deepEqual(shown.sections.flatMap(({ conversations }) => ids(conversations)), [...ids(shown.pinned), ...ids(shown.all)]);
    const [today] = stored.toSorted((a, b) => b.updated - a.updated).filter(({ pinned }) => !pinned);
    const midnight = new Date().setHours(0, 0, 0, 0);
    assert.equal(sections.includes("Today"), (today?.updated ?? 0) >= midnight);
  }
});

test("filtered, the list shows what matches; a late reply for the old filter is ignored", async () => {
  stored = [one("a", 3), one("b", 2, { archived: true }), one("c", 1, { tags: ["x"] })];
  const shown = list();
  const late = Promise.withResolvers<void>();
  wire(async (request) => {
    if (request.query.get("archived") === "false" && request.query.get("tag") === null) await late.promise;
    return server(request);
  });
  const first = shown.refresh();
  await shown.show({ archived: true, tag: null });
  assert.deepEqual(ids(shown.all), ["b"]);
  late.resolve();
  await first;
  assert.deepEqual(ids(shown.all), ["b"]);
  await shown.show({ archived: false, tag: "x" });
  assert.deepEqual(ids(shown.all), ["c"]);
});

test("a changed conversation moves to its position, or leaves the list", async () => {
  stored = [one("a", 3), one("b", 2), one("c", 1, { tags: ["x"] })];
  const shown = list();
  await shown.refresh();
  await shown.change("b", { pinned: true });
  assert.deepEqual([ids(shown.pinned), ids(shown.all)], [["b"], ["a", "c"]]);
  assert.equal(shown.sections[0]?.name, "Pinned");
  await shown.change("b", { pinned: false });
  assert.deepEqual([ids(shown.pinned), ids(shown.all)], [[], ["a", "b", "c"]]);
  await shown.change("a", { archived: true });
  await shown.remove("b");
  assert.deepEqual(ids(shown.all), ["c"]);
  await shown.show({ archived: false, tag: "x" });
  await shown.change("c", { tags: [] });
  await until(() => shown.filter.tag === null && shown.loaded);
  assert.deepEqual(ids(shown.all), ["c"]);
});

test("the tags are those that were asked for last, whichever reply comes last", async () => {
  const replies: ((reply: object) => void)[] = [];
  wire((request) => (request.path === "/api/conversations/tags" ? new Promise((resolve) => replies.push(resolve)) : server(request)));
  const shown = list();
  const reading = [shown.readTags(), shown.readTags()];
  await until(() => replies.length === 2);
  replies[1]?.({ tags: [{ tag: "new", count: 1 }] });
  replies[0]?.({ tags: [] });
  await Promise.all(reading);
  assert.deepEqual(shown.tags.map(({ tag }) => tag), ["new"]);
});

test("an older reply does not undo this page's change", async () => {
  stored = [one("a", 2), one("b", 1)];
  const shown = list();
  await shown.refresh();
  const before = page(new URLSearchParams({ archived: "false", limit: "50" }));
  const late = Promise.withResolvers<unknown>();
  wire((request) => (request.path === "/api/conversations" ? late.promise : server(request)));
  const reading = shown.refresh();
  await shown.remove("a");
  late.resolve(before);
  await reading;
  assert.deepEqual(ids(shown.all), ["b"]);
});

test("changes elsewhere are handled together, also far down the list", async () => {
  many(300);
  const shown = list();
  await shown.refresh();
  await shown.loadOlder();
  asked = [];
  stored = stored.map((other) => (other.id === "c200" ? { ...other, title: "Renamed" } : other)).filter(({ id }) => id !== "c9");
  shown.apply({ conversation: "c3", kind: "running" });
  shown.apply({ conversation: "c9", kind: "removed" });
  shown.apply({ conversation: "c200", kind: "changed" });
  assert.deepEqual([...shown.running], ["c3"]);
  await until(() => shown.known("c200")?.title === "Renamed");
  await advanceTime(1000);
  assert.equal(shown.known("c9"), undefined);
  assert.deepEqual(asked.map(({ path }) => path), ["/api/conversations", "/api/conversations/c200", "/api/conversations/tags"]);
  shown.apply({ conversation: "c3", kind: "finished" });
  assert.equal(shown.running.size, 0);
});

test("a search begins when the typing pauses, and an older reply never replaces a newer one", async () => {
  const shown = list();
  const slow = Promise.withResolvers<void>();
  wire(async (request) => {
    const answer = server(request);
    if (request.query.get("q") === "slow") await slow.promise;
    return answer;
  });
  for (const words of ["s", "sl", "slow "]) shown.search(words);
  await advanceTime(200);
  assert.deepEqual(asked.map(({ query }) => query.get("q")), ["slow"]);
  shown.search("quick");
  await until(() => shown.found !== null);
  slow.resolve();
  await advanceTime(100);
  assert.deepEqual([shown.found?.hits[0]?.excerpt, shown.found?.hits.length, shown.moreHits], ["quick", 20, true]);
  await shown.searchMore();
  assert.deepEqual([shown.found?.hits.length, shown.moreHits], [100, false]);
  shown.search("  ");
  await advanceTime(1000);
  assert.equal(shown.found, null);
});
