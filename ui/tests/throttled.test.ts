// Throttled calls: the first acts at once, and those that come together act once more.

import assert from "node:assert/strict";
import { beforeEach, test, vi } from "vitest";
import { throttled } from "../src/lib/throttled.ts";
import { advanceTime, useFakeTime } from "./time.ts";

beforeEach(useFakeTime);

test("the first call acts at once, and those that come together act once more", async () => {
  const act = vi.fn();
  const call = throttled(act, 1000);
  call();
  assert.equal(act.mock.calls.length, 1);
  for (let count = 0; count < 20; count++) call();
  await advanceTime(999);
  assert.equal(act.mock.calls.length, 1);
  await advanceTime(1);
  assert.equal(act.mock.calls.length, 2);
  await advanceTime(5000);
  assert.equal(act.mock.calls.length, 2);
  call();
  assert.equal(act.mock.calls.length, 3);
});
