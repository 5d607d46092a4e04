import assert from "node:assert/strict";
import { test } from "vitest";
import type { Event } from "../src/api/events.ts";
import { type Frame, Parser } from "../src/api/sse.ts";
import { followRun, type RunConnection, StreamRefused } from "../src/api/runStream.ts";
import { random } from "./random.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function cut(whole: Uint8Array, next: () => number): Uint8Array[] {
  const out: Uint8Array[] = [];
  const longest = 1 + Math.floor(next() * 30);
  for (let at = 0; at < whole.length; ) {
    const length = 1 + Math.floor(next() * longest);
    out.push(whole.slice(at, at + length));
    at += length;
  }
  return out;
}

test("a stream cut anywhere, even within a character, gives the same frames", () => {
  const source = bytes(
    ': hello\n\nid: 1\ndata: {"text":"é🍰👩🏽‍🍳"}\n\r\nid:2\r\nevent: reset\r\n\r\ndata: a\ndata:b\rdata: c\r\rdata\n\nnothing: x\n\nid: 3\ndata: last\n\n',
  );
  const expected: Frame[] = [
    { event: "message", data: '{"text":"é🍰👩🏽‍🍳"}', id: "1" },
    { event: "reset", data: "", id: "2" },
    { event: "message", data: "a\nb\nc", id: null },
    { event: "message", data: "", id: null },
    { event: "message", data: "last", id: "3" },
  ];
  for (let seed = 1; seed <= 300; seed++) {
    const parser = new Parser();
    assert.deepEqual(cut(source, random(seed)).flatMap((piece) => parser.feed(piece)), expected);
  }
});

/** A run's log behind a network that breaks at random. */
class Flaky implements RunConnection {
  log: Event[] = [];
  opened: number[] = [];
  next: () => number;
  resets = 0;

  constructor(length: number, seed: number) {
    this.next = random(seed);
    for (let seq = 1; seq < length; seq++) this.log.push({ type: "part.delta", index: 0, text: `é${seq} `, seq });
    this.log.push({ type: "run.finished", reason: "stop", seq: length });
  }

  async open(after: number): Promise<Response> {
    this.opened.push(after);
    if (this.next() < 0.2) throw new TypeError("network");
    if (this.next() < 0.1) return new Response("", { status: 503 });
    const overlap = Math.min(after, Math.floor(this.next() * 3));
    const lost = this.next() < 0.1 && after > 0;
    if (lost) this.resets += 1;
    const from = lost ? 0 : after - overlap;
    const lines = this.log.slice(from).map((event) => `id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`);
    const whole = bytes((lost ? "event: reset\ndata: {}\n\n" : "") + lines.join(""));
    const end = this.next() < 0.7 ? Math.floor(this.next() * whole.length) : whole.length;
    const chunks = cut(whole.slice(0, end), this.next);
    return new Response(
      new ReadableStream({
        pull(controller) {
          const chunk = chunks.shift();
          if (chunk) controller.enqueue(chunk);
          else if (end < whole.length) controller.error(new TypeError("cut"));
          else controller.close();
        },
      }),
    );
  }

  sleep = async () => {};
}

test("over a network that breaks, every event comes once and in order", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const flaky = new Flaky(1 + (seed % 60), seed);
    let seen: Event[] = [];
    for await (const batch of followRun(flaky, new AbortController().signal)) {
      if (batch.reset) seen = [];
      seen.push(...batch.events);
    }
    assert.deepEqual(seen, flaky.log, `seed ${seed}`);
  }
});

test("a gap loses no event: the log is read again", async () => {
  let call = 0;
  const line = (seq: number, last = false) =>
    `data: ${JSON.stringify(last ? { type: "run.stopped", seq } : { type: "part.finished", index: 0, seq })}\n\n`;
  const opened: number[] = [];
  const following: RunConnection = {
    open: async (after) => {
      opened.push(after);
      return new Response(call++ === 0 ? line(1) + line(3) : line(2) + line(3) + line(4, true));
    },
    sleep: async () => {},
  };
  const seen: number[] = [];
  for await (const batch of followRun(following, new AbortController().signal)) seen.push(...batch.events.map((e) => e.seq));
  assert.deepEqual(seen, [1, 2, 3, 4]);
  assert.deepEqual(opened, [0, 1]);
});

test("a log that lost its newest events and was interrupted is read from its start", async () => {
  const delta = (seq: number) => ({ type: "part.delta", index: 0, text: `${seq}`, seq });
  const end = (seq: number) => ({ type: "run.interrupted", seq });
  const frames = (events: { seq: number }[]) => events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  const before = [delta(1), delta(2), delta(3), delta(4), delta(5)];
  for (const seen of [3, 4, 5]) {
    const log = [delta(1), delta(2), end(3)];
    if (seen > 3) log.splice(2, 1, { type: "part.finished", index: 0, seq: 3 } as never, end(4));
    let first = true;
    const following: RunConnection = {
      open: async (after) => {
        if (!first) return new Response(frames(log.filter((event) => event.seq > after)));
        first = false;
        return new Response(frames(before.slice(0, seen)));
      },
      sleep: async () => {},
    };
    let got: unknown[] = [];
    for await (const batch of followRun(following, new AbortController().signal)) {
      if (batch.reset) got = [];
      got.push(...batch.events);
    }
    assert.deepEqual(got, log, `seen ${seen}`);
  }
});

test("a silent connection is dropped, and a missing run ends the stream", async () => {
  let call = 0;
  const live: boolean[] = [];
  const following: RunConnection = {
    open: (_after, signal) =>
      Promise.resolve(
        call++ === 0
          ? new Response(new ReadableStream({ start: (c) => signal.addEventListener("abort", () => c.error(new Error("aborted"))) }))
          : new Response("", { status: 404 }),
      ),
    onConnection: (is) => live.push(is),
    sleep: async () => {},
    silence: 20,
  };
  await assert.rejects(async () => {
    for await (const _ of followRun(following, new AbortController().signal)) assert.fail("nothing comes");
  }, StreamRefused);
  assert.deepEqual(live, [true, false]);
});
