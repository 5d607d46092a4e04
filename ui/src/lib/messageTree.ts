// Reads the tree of messages that a conversation is.

import type { Message } from "../api/events.ts";

export type Messages = ReadonlyMap<string, Message>;

/** The messages from the root down to `leaf`. Where a parent is missing, the path begins below it. */
export function branchTo(messages: Messages, leaf: string | null): Message[] {
  const path: Message[] = [];
  for (let message = leaf === null ? undefined : messages.get(leaf); message !== undefined; ) {
    path.push(message);
    message = message.parent === null ? undefined : messages.get(message.parent);
  }
  return path.reverse();
}

/** The messages under each parent, oldest first. */
export function siblingsByParent(messages: Messages): ReadonlyMap<string | null, readonly Message[]> {
  const byParent = new Map<string | null, Message[]>();
  for (const message of messages.values()) {
    const siblings = byParent.get(message.parent);
    if (siblings === undefined) byParent.set(message.parent, [message]);
    else siblings.push(message);
  }
  for (const siblings of byParent.values()) siblings.sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
  return byParent;
}

/** The answers that stand side by side while the person hasn't kept one: those to the question above `leaf`. */
export function answersToCompare(messages: Messages, leaf: string | null): readonly Message[] {
  const comparison = messages.get(messages.get(leaf ?? "")?.parent ?? "")?.comparison ?? null;
  if (comparison === null || comparison.kept !== null || !comparison.answers.includes(leaf ?? "")) return [];
  const answers = comparison.answers.flatMap((id) => messages.get(id) ?? []);
  return answers.length > 1 ? answers : [];
}

/** The leaf of the branch that goes through `id` and then always to the newest child. */
export function leafUnder(byParent: ReadonlyMap<string | null, readonly Message[]>, id: string): string {
  for (let at = id; ; ) {
    const next = byParent.get(at)?.at(-1);
    if (next === undefined) return at;
    at = next.id;
  }
}
