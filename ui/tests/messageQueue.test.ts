// Queued messages: their order, and tabs that change the queue at the same time.

import assert from "node:assert/strict";
import { beforeEach, test, vi } from "vitest";
import { MessageQueue } from "../src/state/messageQueue.svelte.ts";

const message = (id: string) => ({ id, text: `say ${id}`, files: [], libraries: [] });
const line = (queue: MessageQueue) => queue.items.map(({ id }) => id).join("");

beforeEach(() => localStorage.clear());

function filled(): MessageQueue {
  const queue = new MessageQueue("conv");
  for (const id of "abc") queue.add(message(id));
  return queue;
}

test("the queue is first in, first out, unless the person reorders it", () => {
  const queue = filled();
  assert.equal(line(queue), "abc");
  queue.move("c", -1);
  assert.equal(line(queue), "acb");
  queue.move("a", -1);
  queue.move("b", 1);
  assert.equal(line(queue), "acb");
  queue.moveToFront("b");
  assert.equal(line(queue), "bac");
  queue.moveToFront("b");
  queue.add(message("d"));
  assert.equal(line(queue), "bacd");
});

test("a page that is opened again finds the queue as it was", () => {
  const queue = filled();
  queue.move("a", 1);
  queue.change("c", "other words");
  const again = new MessageQueue("conv");
  assert.deepEqual(again.items, queue.items);
  assert.equal(again.items[2]?.text, "other words");
  assert.equal(line(new MessageQueue("other")), "");
});

test("two tabs that change the queue at the same time lose nothing and take nothing twice", () => {
  const [one, other] = [filled(), new MessageQueue("conv")];
  one.add(message("x"));
  other.add(message("y"));
  one.refresh();
  assert.deepEqual([...line(one)].toSorted(), [..."abcxy"]);
  assert.equal(one.remove("a")?.text, "say a");
  assert.equal(other.remove("a"), undefined);
  assert.equal(other.change("a", "too late"), false);
  assert.equal(line(other).includes("a"), false);
});

test("with a full storage the queue stays in the page's memory, and says so", () => {
  const full = vi.spyOn(localStorage, "setItem").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  const queue = filled();
  assert.equal(line(queue), "abc");
  assert.equal(queue.persistent, false);
  assert.deepEqual(Object.keys(localStorage), []);
  full.mockRestore();
  for (const id of "abc") assert.equal(queue.remove(id)?.id, id);
  assert.equal(line(queue), "");
  queue.refresh();
  assert.equal(queue.persistent, true);
});

test("the queue of a temporary chat is not stored", () => {
  const queue = new MessageQueue("conv", false);
  queue.add(message("a"));
  queue.refresh();
  assert.equal(line(queue), "a");
  assert.deepEqual(Object.keys(localStorage), []);
});
