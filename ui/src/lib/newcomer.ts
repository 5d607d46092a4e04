// The first conversations in this browser, in which the tools of the composer are named in words.

import { readStored, writeStored } from "./storage.ts";

const STORED_COUNT = "eclair.conversations.begun";
const FIRST_CONVERSATIONS = 5;

/** True until a few conversations were begun in this browser. */
export function isNewcomer(): boolean {
  return countOf(readStored(STORED_COUNT)) < FIRST_CONVERSATIONS;
}

/** Note that a conversation was begun. */
export function countConversation(): void {
  if (isNewcomer()) writeStored(STORED_COUNT, String(countOf(readStored(STORED_COUNT)) + 1));
}

function countOf(stored: string | null): number {
  return Number.parseInt(stored ?? "0", 10) || 0;
}
