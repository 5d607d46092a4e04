// A conversation is a tree of messages; these read it and change nothing.

import type { Message } from "../api/events.ts";

export type Messages = ReadonlyMap<string, Message>;

/** The messages from the root down to `leaf`. A parent that is missing is where it begins. */
export function branchTo(messages: Messages, leaf: string | null): Message[] {
  const path: Message[] = [];
  for (let message = leaf === null ? undefined : messages.get(leaf); message !== undefined; ) {
    path.push(message);
    message = message.parent === null ? undefined : messages.get(message.parent);
  }
  return path.reverse();
}

/** Those that stand beside each message under one parent, itself among them, oldest first. */
export function siblings(messages: Messages): ReadonlyMap<string | null, readonly Message[]> {
  const under = new Map<string | null, Message[]>();
  for (const message of messages.values()) {
    const beside = under.get(message.parent);
    if (beside === undefined) under.set(message.parent, [message]);
    else beside.push(message);
  }
  for (const beside of under.values()) beside.sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
  return under;
}

/** The end of the branch that goes through `id` and then always to the newest. */
export function leafUnder(under: ReadonlyMap<string | null, readonly Message[]>, id: string): string {
  for (let at = id; ; ) {
    const next = under.get(at)?.at(-1);
    if (next === undefined) return at;
    at = next.id;
  }
}
