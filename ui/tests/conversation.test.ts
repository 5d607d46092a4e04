// One conversation, in a page that loses replies, connections and storage, with another page open.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test, vi } from "vitest";
import { ApiError } from "../src/api/client.ts";
import { type AnswerSettings, NO_SETTINGS } from "../src/api/conversations.ts";
import { messageText } from "../src/api/fold.ts";
import { storedNames } from "../src/lib/storage.ts";
import { userMessage } from "../src/lib/userMessage.ts";
import type { Message } from "../src/api/events.ts";
import { Conversation } from "../src/state/conversation.svelte.ts";
import { Server } from "./server.ts";
import { useFakeTime, advanceTime, until } from "./time.ts";

const ID = "conv_1";
const FILE = { id: "f", name: "a.txt", size: 2, media: "text/plain" };
const LIBRARY = { id: "l", name: "handbook" };
const existing = async ({ files, libraries }: Message) => ({ files: files.filter(({ name }) => name !== "gone.txt"), libraries });
let server: Server;
let changes: number;

beforeEach(() => {
  useFakeTime();
  localStorage.clear();
  server = new Server();
  changes = 0;
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function page(kept = false): Conversation {
  return new Conversation({ api: server, answerOptions: () => ({}), existing, onChange: () => (changes += 1) }, ID, kept);
}

/** The server holds its answers back until the returned function is called. */
function holdAnswers(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.accepting = promise;
  return resolve;
}

/** The visible text of each message. */
function shown(conversation: Conversation): string[] {
  return conversation.path.map((message) => messageText(conversation.latest(message)));
}

async function converse(conversation: Conversation, text: string, answer = `about ${text}`): Promise<void> {
  conversation.write(text);
  assert.ok(await conversation.send());
  server.write(answer);
  server.end();
  await until(() => !conversation.running);
}

test("a sent message is shown at once, and its answer grows below it", async () => {
  const one = page();
  const answer = holdAnswers();
  one.write("  Why? ");
  const sent = one.send();
  await until(() => server.turns.length === 1);
  assert.deepEqual([one.draft, one.outgoing?.text, one.running], ["", "Why?", true]);
  answer();
  assert.ok(await sent);
  assert.deepEqual([one.stored, one.outgoing], [true, null]);
  server.write("Because ");
  await until(() => shown(one)[1] === "Because ");
  assert.equal(one.path[1]?.status, "running");
  server.write("so.");
  server.end();
  await until(() => !one.running);
  assert.deepEqual(shown(one), ["Why?", "Because so."]);
  assert.equal(one.path[1]?.status, "finished");
  assert.ok(changes >= 2);
  assert.deepEqual(storedNames("eclair.draft."), []);
});

test("files and libraries stay with their message in the queue, across a reload, and when it is edited", async () => {
  const one = page();
  one.write("Why?");
  one.attach(FILE);
  one.setLibrary(LIBRARY);
  one.setLibrary({ ...LIBRARY, name: "handbook" });
  const again = page();
  assert.deepEqual([again.files, again.libraries], [[FILE], [LIBRARY]]);
  assert.ok(await one.send());
  assert.deepEqual([one.files, one.libraries], [[], []]);
  const [asked] = one.path;
  assert.deepEqual([asked?.files, asked?.libraries], [[FILE], [LIBRARY]]);
  const gone = { ...FILE, id: "g", name: "gone.txt" };
  one.write("And this?");
  one.attach(FILE);
  one.attach(gone);
  assert.ok(await one.send());
  assert.deepEqual(one.queue.items[0]?.files, [FILE, gone]);
  server.write("So.");
  server.end();
  await until(() => server.turns.length === 2);
  server.write("So too.");
  server.end();
  await until(() => !one.running);
  const next = one.path[2];
  assert.ok(next !== undefined);
  assert.ok(await one.edit({ ...next, files: [FILE, gone] }, "Differently?"));
  const sent = server.turns.map((turn) => ("text" in turn ? [turn.files, turn.libraries] : []));
  assert.deepEqual(sent, [[["f"], ["l"]], [["f", "g"], undefined], [["f"], undefined]]);
});

test("a file that a sent message may need is not erased", async () => {
  const one = page();
  server.lostReplies = 3;
  one.write("Once");
  one.attach(FILE);
  const sent = one.send();
  await until(() => one.error !== null);
  assert.equal(await sent, false);
  one.attach({ ...FILE, id: "other" });
  assert.deepEqual([one.detach("f"), one.detach("other")], [false, true]);
});

test("an empty message isn't sent", async () => {
  const one = page();
  one.write(" \n ");
  assert.equal(await one.send(), false);
  assert.equal(server.turns.length, 0);
});

test("a refused message goes back to the composer unchanged, before what was written since", async () => {
  const one = page();
  server.refusals = [new ApiError(400, "too_long", "It is too long.")];
  const answer = holdAnswers();
  one.write("words");
  one.attach(FILE);
  one.setLibrary(LIBRARY);
  one.setNextModel("big");
  const sent = one.send();
  await until(() => server.turns.length === 1);
  one.write("more");
  answer();
  assert.equal(await sent, false);
  assert.deepEqual([one.draft, one.files, one.nextModel, one.error], ["words\n\nmore", [FILE], "big", "It is too long."]);
  assert.deepEqual(one.libraries, [LIBRARY]);
  assert.deepEqual([one.running, one.stored, one.path.length, server.turns.length], [false, false, 0, 1]);
  assert.equal(new Conversation({ api: server, answerOptions: () => ({}), existing, onChange() {} }, "conv_2", false).draft, "words\n\nmore");
});

test("after a lost reply the same message is sent again under the same id", async () => {
  const one = page();
  server.lostReplies = 1;
  one.write("Once");
  const sent = one.send();
  await until(() => server.turns.length === 2);
  assert.ok(await sent);
  const ids = server.turns.map((turn) => "text" in turn && turn.id);
  assert.equal(new Set(ids).size, 1);
  assert.deepEqual(server.sentTexts, ["Once"]);
});

test("a reply lost for good leaves the draft; the same text is the same message, other text is not", async () => {
  const one = page();
  const id = () => server.turns.map((turn) => "text" in turn && turn.id).at(-1);
  server.lostReplies = 3;
  one.write("Once");
  const sent = one.send();
  await until(() => one.error !== null);
  assert.equal(await sent, false);
  assert.equal(one.draft, "Once");
  const first = id();
  const reloaded = page();
  assert.equal(reloaded.draft, "Once");
  assert.ok(await reloaded.send());
  assert.equal(id(), first);
  assert.deepEqual(server.sentTexts, ["Once"]);

  server.end();
  await until(() => !reloaded.running);
  server.lostReplies = 3;
  reloaded.write("Twice");
  const second = reloaded.send();
  await until(() => reloaded.error !== null);
  assert.equal(await second, false);
  const lost = id();
  reloaded.write("Thrice");
  void reloaded.send();
  await until(() => id() !== lost);
});

test("a draft that arrived although the page was closed is dropped when it opens again", async () => {
  const one = page();
  await converse(one, "First");
  server.lostReplies = 3;
  one.write("Second");
  const sent = one.send();
  await until(() => one.error !== null);
  await sent;
  const again = page(true);
  assert.equal(again.draft, "Second");
  await again.load();
  assert.equal(again.draft, "");
  assert.deepEqual(shown(again), ["First", "about First", "Second", ""]);
});

test("what is sent while an answer is in progress is queued, and sent in order, each after a complete answer", async () => {
  const one = page();
  one.write("1");
  await one.send();
  for (const text of ["2", "3", "4"]) {
    one.write(text);
    assert.ok(await one.send());
    assert.equal(one.draft, "");
  }
  assert.equal(one.queue.items.length, 3);
  assert.deepEqual(server.sentTexts, ["1"]);
  for (const number of [1, 2, 3, 4]) {
    await until(() => server.sentTexts.length === number && one.run !== null);
    await one.load();
    await advanceTime(5000);
    assert.equal(server.turns.length, number);
    server.end();
  }
  await until(() => !one.running && one.queue.items.length === 0);
  assert.deepEqual(server.sentTexts, ["1", "2", "3", "4"]);
  assert.equal(one.path.length, 8);
});

test("after a stop the queue waits, until the person sends one now", async () => {
  const one = page();
  one.write("1");
  await one.send();
  for (const text of ["2", "3"]) {
    one.write(text);
    await one.send();
  }
  await one.stop();
  await until(() => !one.running);
  await advanceTime(10_000);
  assert.deepEqual([one.paused, server.sentTexts], [true, ["1"]]);
  await one.sendNow(one.queue.items[1]?.id ?? "");
  await until(() => one.run !== null);
  assert.deepEqual(server.sentTexts, ["1", "3"]);
  server.end();
  await until(() => server.sentTexts.length === 3);
});

test("sending a queued message now interrupts the answer", async () => {
  const one = page();
  one.write("1");
  await one.send();
  server.write("half an ans");
  one.write("Rather this");
  await one.send();
  await one.sendNow(one.queue.items[0]?.id ?? "");
  await until(() => server.sentTexts.length === 2);
  assert.deepEqual(server.stopped, ["run_1"]);
  assert.deepEqual(shown(one).slice(0, 3), ["1", "half an ans", "Rather this"]);
  assert.equal(one.path[1]?.status, "stopped");
  assert.equal(one.queue.items.length, 0);
});

test("an answer in progress is handed to the other mode before the queue goes on, and stays as a version", async () => {
  const one = page();
  one.write("Why?");
  await one.send();
  server.write("half an ans");
  one.write("2");
  await one.send();
  const answer = one.path[1];
  assert.ok(answer !== undefined);
  await one.answerInstead(answer, { mode: "think" });
  await until(() => server.turns.length === 2);
  assert.deepEqual(server.stopped, ["run_1"]);
  assert.deepEqual(server.turns[1], { retry: one.path[0]?.id, mode: "think" });
  await until(() => one.run === "run_2");
  assert.equal(one.modeOf(one.path[1] ?? answer), "think");
  assert.deepEqual([messageText(one.messages.get(answer.id) ?? answer), one.queue.items.length], ["half an ans", 1]);
  server.write("thought over");
  server.end();
  await until(() => server.sentTexts.length === 2);
  assert.deepEqual(server.sentTexts, ["Why?", "2"]);
});

test("settings are stored on the server, or sent with the first message", async () => {
  const one = page();
  await one.changeSettings({ model: "big", mode: "think" });
  await converse(one, "Hello");
  assert.deepEqual(server.settings, { ...NO_SETTINGS, model: "big", mode: "think" });
  const other = page(true);
  await other.load();
  assert.deepEqual([other.model, other.mode], ["big", "think"]);
  await other.changeSettings({ model: null });
  await one.load();
  assert.deepEqual([one.model, one.mode], [null, "think"]);
});

test("the web mode is stored with the conversation, and an answer can be requested without the web", async () => {
  const how = ({ web }: AnswerSettings) => (web === null ? {} : { web });
  const one = new Conversation({ api: server, web: "auto", answerOptions: how, existing, onChange() {} }, ID, false);
  assert.equal(one.web, "auto");
  await one.changeSettings({ web: "on" });
  await converse(one, "What is new?");
  assert.deepEqual([server.turns[0]?.web, server.settings.web], ["on", "on"]);
  await one.answerInstead(one.path[1] as Message, { web: "off" });
  assert.deepEqual(server.turns[1], { retry: one.path[0]?.id, web: "off" });
  assert.equal(server.settings.web, "on");
  const other = page(true);
  await other.load();
  assert.equal(other.web, "on");
});

test("files alone are sent with the fallback text", async () => {
  const one = page();
  assert.equal(await one.send("Summarize this file."), false);
  one.attach(FILE);
  await one.send("Summarize this file.");
  const [turn] = server.turns;
  assert.ok(turn !== undefined && "text" in turn);
  assert.deepEqual([turn.text, turn.files], ["Summarize this file.", ["f"]]);
});

test("a queued message that is refused is held; edited, it is sent", async () => {
  const one = page();
  one.write("1");
  await one.send();
  one.write("bad");
  await one.send();
  server.refusals = [new ApiError(400, "too_long", "It is too long.")];
  server.end();
  await until(() => one.heldMessage !== null);
  await advanceTime(10_000);
  assert.deepEqual([one.error, server.turns.length, one.queue.items.length], ["It is too long.", 2, 1]);
  one.editQueued(one.heldMessage ?? "", "good");
  await until(() => server.sentTexts.length === 2);
  assert.deepEqual([server.sentTexts, one.heldMessage], [["1", "good"], null]);
});

test("a queued message is moved back into the composer", async () => {
  const one = page();
  one.write("1");
  await one.send();
  one.write("2");
  await one.send();
  one.write("and");
  one.unqueue(one.queue.items[0]?.id ?? "");
  assert.deepEqual([one.draft, one.queue.items.length], ["2\n\nand", 0]);
});

test("a stop before the run is known stops it as soon as it is", async () => {
  const one = page();
  const answer = holdAnswers();
  one.write("Wait");
  const sent = one.send();
  await until(() => server.turns.length === 1);
  await one.stop();
  assert.deepEqual(server.stopped, []);
  answer();
  await sent;
  assert.deepEqual(server.stopped, ["run_1"]);
  await until(() => !one.running);
  assert.equal(one.path[1]?.status, "stopped");
});

test("editing a message and answering again make branches, and both remain", async () => {
  const one = page();
  await converse(one, "First", "a");
  const [first, answer] = one.path;
  assert.ok(first !== undefined && answer !== undefined);
  const retried = one.retry(answer, "other");
  await until(() => one.run !== null);
  await retried;
  server.write("b");
  server.end();
  await until(() => !one.running);
  assert.deepEqual(shown(one), ["First", "b"]);
  assert.equal(one.path[1]?.model, "other");
  assert.equal(one.siblings.get(first.id)?.length, 2);

  assert.ok(await one.edit(first, " Second "));
  server.write("c");
  server.end();
  await until(() => !one.running);
  assert.deepEqual(shown(one), ["Second", "c"]);
  assert.equal(one.siblings.get(null)?.length, 2);

  await one.select(answer.id);
  assert.deepEqual([shown(one), server.leaf], [["First", "a"], answer.id]);
  assert.equal(await one.edit(first, "  "), false);
});

test("a lost connection is shown, and nothing of the answer is lost or doubled", async () => {
  const one = page();
  one.write("Why?");
  await one.send();
  server.write("one ");
  await until(() => shown(one)[1] === "one ");
  server.unreachable = true;
  server.run?.cut();
  await until(() => !one.connected);
  server.write("two ");
  await advanceTime(6000);
  assert.equal(shown(one)[1], "one ");
  server.unreachable = false;
  await until(() => one.connected);
  server.write("three");
  server.end();
  await until(() => !one.running);
  assert.equal(shown(one)[1], "one two three");
});

test("a page opened while an answer is in progress follows it", async () => {
  await page().load();
  const one = page();
  one.write("Why?");
  await one.send();
  const other = page(true);
  await other.load();
  server.write("Because.");
  await until(() => shown(other)[1] === "Because.");
  await other.stop();
  await until(() => !one.running && !other.running);
  assert.equal(one.path[1]?.status, "stopped");
  assert.equal(other.title, "A title");
});

test("a branch chosen elsewhere is withheld while a message is being edited", async () => {
  const one = page();
  await converse(one, "First", "a");
  const mine = one.leaf;
  server.messages.set("q", userMessage(ID, { id: "q", parent: null, text: "Elsewhere" }));
  server.leaf = "q";
  one.markEditing(true);
  await one.load();
  assert.deepEqual([one.leaf, one.messages.has("q")], [mine, true]);
  one.markEditing(false);
  await until(() => one.leaf === "q");

  one.markEditing(true);
  server.messages.delete("q");
  server.leaf = mine;
  await one.load();
  assert.equal(one.leaf, mine);
});

test("an older reply of the server does not undo a later change", async () => {
  const one = page();
  await converse(one, "First", "a");
  const before = await server.get(ID);
  const late = Promise.withResolvers<void>();
  vi.spyOn(server, "get").mockImplementationOnce(async () => {
    await late.promise;
    return before;
  });
  const loading = one.load();
  one.write("Second");
  await one.send();
  late.resolve();
  await loading;
  assert.equal(one.path.length, 4);
});

test("a server that can't be reached is asked until it can; one without the conversation says so", async () => {
  const one = page();
  await converse(one, "First", "a");
  const again = page(true);
  server.unreachable = true;
  await again.load();
  assert.deepEqual([again.connected, again.loaded], [false, false]);
  again.write("Into the blue");
  const sent = again.send();
  await advanceTime(0);
  assert.equal(await sent, false);
  assert.equal(again.draft, "Into the blue");
  server.unreachable = false;
  await until(() => again.connected && again.loaded);
  assert.deepEqual(shown(again), ["First", "a"]);

  server.messages.clear();
  await again.load();
  assert.equal(again.missing, true);
});

test("where another page's answer is in progress, the text stays and that answer is followed", async () => {
  const one = page();
  await converse(one, "First", "a");
  const other = page(true);
  await other.load();
  other.write("From the other page");
  await other.send();
  one.write("Mine");
  assert.equal(await one.send(), false);
  assert.deepEqual([one.draft, one.error, one.run], ["Mine", "An answer is being written.", "run_2"]);
  server.end();
  await until(() => !one.running);
  assert.equal(shown(one)[2], "From the other page");
});

test("a message is deleted with everything after it", async () => {
  const one = page();
  await converse(one, "First", "a");
  await converse(one, "Second", "b");
  const second = one.path[2];
  assert.ok(second !== undefined);
  await one.removeMessage(second);
  assert.deepEqual(shown(one), ["First", "a"]);
});

test("with a full storage the text stays in the page, and the page says so", () => {
  vi.spyOn(localStorage, "setItem").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  const one = page();
  assert.equal(one.persistent, true);
  one.write("Long");
  assert.equal(one.persistent, false);
  assert.equal(page().draft, "Long");
  vi.restoreAllMocks();
  one.write("Longer");
  assert.equal(one.persistent, true);
});

test("nothing of a temporary chat is stored", async () => {
  const context = { api: server, answerOptions: () => ({}), existing, onChange() {}, temporary: true } as const;
  const one = new Conversation(context, "conv_secret", false);
  one.write("secret");
  one.attach(FILE);
  assert.deepEqual(Object.keys(localStorage), []);
  assert.equal(one.persistent, true);
  await one.send();
  one.write("secret again");
  await one.send();
  assert.equal(one.queue.items.length, 1);
  assert.deepEqual(Object.keys(localStorage), []);
});

test("when the person begins to write the engine may read ahead, and a failure is ignored", async () => {
  const one = page();
  one.write("W");
  one.write("Why");
  assert.deepEqual(server.prefilled, [null]);
  assert.ok(await one.send());
  one.write("and");
  assert.equal(server.prefilled.length, 1);
  one.write("");
  server.write("Because.");
  server.end();
  await until(() => !one.running);
  server.unreachable = true;
  one.write("And");
  await advanceTime(10);
  assert.deepEqual(server.prefilled, [null, ID]);
  assert.deepEqual([one.draft, one.error], ["And", null]);
});

test("a draft is sent as it pauses, and every two seconds, to a server that reads ahead for it", async () => {
  server.followsDrafts = true;
  const one = page();
  one.write("Why is");
  await advanceTime(10);
  one.write("Why is the sky");
  await advanceTime(399);
  assert.deepEqual(server.drafts, []);
  await advanceTime(1);
  assert.deepEqual(server.drafts, ["Why is the sky"]);
  one.write("Why is the sky ");
  await advanceTime(1000);
  assert.equal(server.drafts.length, 1);
  let written = "Why is the sky ";
  for (const letter of "bluish") {
    one.write((written += letter));
    await advanceTime(390);
  }
  assert.deepEqual(server.drafts, ["Why is the sky", "Why is the sky bluish"]);
  one.write("Why is the sky blue?");
  assert.ok(await one.send());
  await advanceTime(5000);
  assert.equal(server.drafts.length, 2);
});

test("a draft is not sent where no model reads ahead for it, nor of images and comparisons", async () => {
  const one = page();
  one.write("Why is");
  await advanceTime(10);
  one.write("Why is the sky blue?");
  await advanceTime(5000);
  server.followsDrafts = true;
  one.attach(FILE);
  await advanceTime(5000);
  assert.deepEqual(server.drafts, ["Why is the sky blue?"]);
  one.setImageOptions({ count: 2 });
  one.write("a blue sky");
  await advanceTime(5000);
  one.setImageOptions(null);
  one.setCompare({ models: ["a", "b"], blind: false });
  one.write("a blue sky over hills");
  await advanceTime(5000);
  assert.equal(server.drafts.length, 1);
});

test("image options stay with the draft, are sent, and are kept when the message is edited", async () => {
  const one = page();
  one.write("an apple");
  one.setImageOptions({ model: "flux", count: 2 });
  assert.deepEqual(page().imageOptions, { model: "flux", count: 2 });
  assert.ok(await one.send());
  assert.equal(one.imageOptions, null);
  const [asked] = one.path;
  assert.ok(asked !== undefined);
  assert.equal(asked.wish?.count, 2);
  one.write("a pear");
  one.setImageOptions({});
  assert.ok(await one.send());
  assert.deepEqual(one.queue.items[0]?.draw, {});
  server.end();
  await until(() => server.turns.length === 2);
  server.end();
  await until(() => !one.running);
  assert.ok(await one.edit(asked, "a green apple"));
  server.end();
  await until(() => !one.running);
  assert.ok(await one.generateImage("a plum", { seed: 3 }));
  const drawn = server.turns.map((turn) => ("text" in turn ? [turn.text, turn.draw] : []));
  const by = one.messages.get(one.siblings.get(asked.id)?.[0]?.id ?? "")?.model;
  assert.deepEqual(drawn, [["an apple", { model: "flux", count: 2 }], ["a pear", {}], ["a green apple", { model: by, count: 2 }], ["a plum", { seed: 3 }]]);
  assert.ok(server.turns.every((turn) => !("mode" in turn) && !("model" in turn)));
});

test("the same text with other image options is another message", async () => {
  const one = page();
  const lost = async () => {
    server.lostReplies = 3;
    one.error = null;
    const sent = one.send();
    await until(() => one.error !== null);
    assert.equal(await sent, false);
    return server.turns.map((turn) => "text" in turn && turn.id).at(-1);
  };
  one.write("an apple");
  one.setImageOptions({ seed: 1 });
  const first = await lost();
  assert.deepEqual(one.imageOptions, { seed: 1 });
  one.setImageOptions({ seed: 2 });
  assert.notEqual(await lost(), first);
});
