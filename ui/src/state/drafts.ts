// What is written and not yet accepted, kept across reloads. What the browser's storage does not take is kept
// in this page's memory.

import type { Attachment, LibraryName } from "../api/events.ts";
import { newId } from "../lib/ids.ts";
import type { ImageOptions } from "../api/conversations.ts";
import { openTabs, tabId, withLock } from "../lib/tabs.ts";
import { isPersistent, readStoredJson, storedNames, writeStored } from "../lib/storage.ts";

const DRAFT = "eclair.draft.";
/** What is typed before its conversation is kept lies under this name. */
export const NEW_CHAT = "new";

export interface Draft {
  readonly text: string;
  /** What was sent up for it, and the libraries that are to be searched. */
  readonly files: readonly Attachment[];
  readonly libraries: readonly LibraryName[];
  /** The model that was chosen for this message alone. */
  readonly model?: string;
  /** How pictures are wanted, where it asks for some. */
  readonly draw?: ImageOptions;
  /** The conversation that a new chat is going to be, so that it keeps its name across a reload. */
  readonly conversation?: string;
  /** The id that this was last sent under, and where; the same words there are the same message. */
  readonly sent?: SentDraft;
}

export interface SentDraft {
  readonly id: string;
  readonly text: string;
  readonly files: readonly string[];
  /** The drawing that it asked for, as JSON. */
  readonly draw?: string;
  readonly parent: string | null;
}

const NONE: Draft = { text: "", files: [], libraries: [] };

/** This tab's draft in a conversation, or in a new chat. */
export function readDraft(conversation: string): Draft {
  return readAt(`${conversation}@${tabId()}`);
}

export function writeDraft(conversation: string, draft: Draft): void {
  keepAt(`${conversation}@${tabId()}`, draft);
}

/** Give `take` the drafts that tabs which are closed by now have left here; what it took is then ours alone. */
export async function adoptDrafts(conversation: string, take: (draft: Draft) => void): Promise<void> {
  await withLock(`eclair.drafts.${conversation}`, async () => {
    const open = await openTabs();
    const prefix = `${DRAFT}${conversation}@`;
    for (const key of storedNames(prefix)) {
      const owner = key.slice(prefix.length);
      if (owner === tabId() || open.has(owner)) continue;
      const place = `${conversation}@${owner}`;
      take(readAt(place));
      if (isDraftPersistent(conversation)) keepAt(place, NONE);
    }
  });
}

/** Whether this tab's draft there outlives the page. */
export function isDraftPersistent(conversation: string): boolean {
  return isPersistent(`${DRAFT}${conversation}@${tabId()}`);
}

/** The id of a new chat: that of the one which is being written, or one that is free. */
export function newConversationId(): string {
  return readDraft(NEW_CHAT).conversation ?? newId("conv");
}

function readAt(place: string): Draft {
  return { ...NONE, ...readStoredJson<Draft>(DRAFT + place) };
}

function keepAt(place: string, draft: Draft): void {
  const { text, files, libraries, ...more } = draft;
  const empty = text === "" && files.length === 0 && libraries.length === 0 && Object.keys(more).length === 0;
  writeStored(DRAFT + place, empty ? null : JSON.stringify(draft));
}
