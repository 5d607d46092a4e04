// Fake time that passes when a test says so; promises and streams run as usual.

import assert from "node:assert/strict";
import { vi } from "vitest";

export function useFakeTime(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: new Date(2026, 4, 14, 12) });
}

export async function advanceTime(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds);
  await new Promise((resolve) => setImmediate(resolve));
}

/** Let time pass until this holds, a minute at most. */
export async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; waited < 60_000; waited += 20) {
    if (holds()) return;
    await advanceTime(20);
  }
  assert.fail(`it never held: ${holds}`);
}
