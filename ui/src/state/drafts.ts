// Drafts, stored in the browser so that they survive a reload; in this page's memory where its storage is full or blocked.

import type { Attachment, LibraryName } from "../api/events.ts";
import { newId } from "../lib/ids.ts";
import type { ImageOptions } from "../api/conversations.ts";
import { openTabs, tabId, withLock } from "../lib/tabs.ts";
import { isPersistent, readStoredJson, storedNames, writeStored } from "../lib/storage.ts";

const DRAFT = "eclair.draft.";
/** The name under which drafts are stored until the server has their conversation. */
export const NEW_CHAT = "new";

export interface Draft {
  readonly text: string;
  /** The files uploaded for it. */
  readonly files: readonly Attachment[];
  readonly libraries: readonly LibraryName[];
  /** The model for this message alone. */
  readonly model?: string;
  /** The models that answer it side by side. */
  readonly compare?: CompareOptions;
  /** The options of the images that it asks for. */
  readonly draw?: ImageOptions;
  /** The id that a new chat will have, so that a reload doesn't change it. */
  readonly conversation?: string;
  /** What was last sent of it: the same text under the same parent is the same message. */
  readonly sent?: SentDraft;
}

/** Models that answer a message side by side, and whether their names are hidden until one answer is kept. */
export interface CompareOptions {
  readonly models: readonly string[];
  readonly blind: boolean;
}

export interface SentDraft {
  readonly id: string;
  readonly text: string;
  readonly files: readonly string[];
  /** The options of the images that it asked for, as JSON. */
  readonly draw?: string;
  readonly parent: string | null;
}

const EMPTY: Draft = { text: "", files: [], libraries: [] };

/** This tab's draft in a conversation, or in a new chat. */
export function readDraft(conversation: string): Draft {
  return readSlot(`${conversation}@${tabId()}`);
}

export function writeDraft(conversation: string, draft: Draft): void {
  writeSlot(`${conversation}@${tabId()}`, draft);
}

/** Hand the drafts of closed tabs to `adopt`, and delete them. */
export async function adoptDrafts(conversation: string, adopt: (draft: Draft) => void): Promise<void> {
  await withLock(`eclair.drafts.${conversation}`, async () => {
    const open = await openTabs();
    const prefix = `${DRAFT}${conversation}@`;
    for (const key of storedNames(prefix)) {
      const owner = key.slice(prefix.length);
      if (owner === tabId() || open.has(owner)) continue;
      const slot = `${conversation}@${owner}`;
      adopt(readSlot(slot));
      if (isDraftPersistent(conversation)) writeSlot(slot, EMPTY);
    }
  });
}

/** True where this tab's draft survives a reload. */
export function isDraftPersistent(conversation: string): boolean {
  return isPersistent(`${DRAFT}${conversation}@${tabId()}`);
}

/** The id for a new chat: the one that its draft already has, or a new one. */
export function newConversationId(): string {
  return readDraft(NEW_CHAT).conversation ?? newId("conv");
}

function readSlot(slot: string): Draft {
  return { ...EMPTY, ...readStoredJson<Draft>(DRAFT + slot) };
}

function writeSlot(slot: string, draft: Draft): void {
  const { text, files, libraries, ...more } = draft;
  const empty = text === "" && files.length === 0 && libraries.length === 0 && Object.keys(more).length === 0;
  writeStored(DRAFT + slot, empty ? null : JSON.stringify(draft));
}
