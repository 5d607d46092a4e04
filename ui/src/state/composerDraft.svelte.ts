// The draft in the composer: stored with every change, taken out while it is being sent, and put back if it is refused.

import type { Attachment, LibraryName, Message } from "../api/events.ts";
import { newId } from "../lib/ids.ts";
import type { ImageOptions } from "../api/conversations.ts";
import { withoutEmpty } from "../lib/images.ts";
import { adoptDrafts, type CompareOptions, type Draft, isDraftPersistent, NEW_CHAT, readDraft, type SentDraft, writeDraft } from "./drafts.ts";
import { MessageQueue } from "./messageQueue.svelte.ts";

/** The content of a composer. */
export type DraftContent = Pick<Draft, "text" | "files" | "libraries" | "model" | "compare" | "draw">;

const EMPTY: DraftContent = { text: "", files: [], libraries: [] };

export class ComposerDraft {
  draft = $state("");
  files = $state.raw<readonly Attachment[]>([]);
  /** The libraries to search for the next message. */
  libraries = $state.raw<readonly LibraryName[]>([]);
  /** The model for the next message alone. */
  nextModel = $state<string | null>(null);
  /** The models that answer the next message side by side. */
  compare = $state.raw<CompareOptions | null>(null);
  /** The options of the images that the next message asks for; null where it asks for text. */
  imageOptions = $state.raw<ImageOptions | null>(null);
  /** It survives a reload. */
  persistent = $state(true);

  readonly #conversation: string;
  readonly #queue: MessageQueue;
  /** The name that the draft is stored under; all new chats share one until they are stored. */
  #slot: string;
  #sent: SentDraft | undefined;
  /** What was taken out of the composer and is being sent. */
  #sending: DraftContent | null = null;

  constructor(conversation: string, isNew: boolean, queue: MessageQueue) {
    this.#conversation = conversation;
    this.#queue = queue;
    this.#slot = isNew ? NEW_CHAT : conversation;
    const draft = readDraft(this.#slot);
    this.#sent = draft.sent;
    this.#put(draft);
    this.persistent = isDraftPersistent(this.#slot);
    void adoptDrafts(this.#slot, (draft) => this.#adopt(draft));
  }

  get content(): DraftContent {
    const { draft, files, libraries, nextModel: model, compare, imageOptions: draw } = this;
    return { text: draft.trim(), files, libraries, ...(model !== null && { model }), ...(compare !== null && { compare }), ...(draw !== null && { draw }) };
  }

  write(text: string): void {
    this.draft = text;
    this.#store();
  }

  attach(file: Attachment): void {
    this.files = [...this.files, file];
    this.#store();
  }

  /** True where the file can be erased, since no message that may have arrived needs it. */
  detach(id: string): boolean {
    const options = this.imageOptions;
    if (options !== null && (options.sources ?? this.files.map((file) => file.id))[0] === id) this.imageOptions = withoutEmpty({ ...options, mask: undefined });
    this.files = this.files.filter((file) => file.id !== id);
    this.#store();
    return this.#sent?.files.includes(id) !== true;
  }

  /** Search a library for the next message, or don't. */
  setLibrary({ id, name }: LibraryName, included: boolean): void {
    const others = this.libraries.filter((library) => library.id !== id);
    this.libraries = included ? [...others, { id, name }] : others;
    this.#store();
  }

  /** Choose the model for the next message alone; null goes back to the conversation's. */
  setNextModel(model: string | null): void {
    this.nextModel = model;
    this.compare = null;
    this.#store();
  }

  /** Have models answer the next message side by side. */
  setCompare(compare: CompareOptions): void {
    this.nextModel = null;
    this.compare = compare;
    this.#store();
  }

  /** Ask for images with the next message; null asks for text. */
  setImageOptions(options: ImageOptions | null): void {
    this.imageOptions = options;
    this.#store();
  }

  clear(): void {
    this.#put(EMPTY);
    this.#store();
  }

  /** The id for a message that is about to be sent: the same again if its reply was lost the last time. */
  identify({ text, files, libraries, draw }: DraftContent, parent: string | null): string {
    const names = [...files, ...libraries].map(({ id }) => id);
    const last = this.#sent;
    const options = draw === undefined ? {} : { draw: JSON.stringify(draw) };
    const same = last?.text === text && last.parent === parent && last.files.join() === names.join();
    const again = same && last.draw === options.draw;
    const id = again ? last.id : newId("msg");
    this.#sent = { id, text, files: names, ...options, parent };
    this.#store();
    return id;
  }

  /** Take it out of the composer. It stays in the stored draft until it has arrived. */
  startSending(content: DraftContent): void {
    this.#sending = content;
    this.#put(EMPTY);
  }

  /** What was being sent has arrived, or goes back into the composer. */
  endSending(arrived: boolean): void {
    const sending = this.#sending ?? EMPTY;
    this.#sending = null;
    if (arrived) this.#store();
    else this.restore(sending);
  }

  /** Forget the id of a sent message: the server has taken or refused it. */
  forgetSent(id: string): void {
    if (this.#sent?.id === id) this.#sent = undefined;
  }

  /** Remove what was being sent when the page was closed, if it is among these messages. */
  dropArrived(messages: ReadonlyMap<string, Message>): void {
    const sent = this.#sent;
    if (sent === undefined || this.#sending !== null || !messages.has(sent.id)) return;
    this.#sent = undefined;
    if (this.draft.startsWith(sent.text)) this.draft = this.draft.slice(sent.text.length).trimStart();
    this.files = this.files.filter(({ id }) => !sent.files.includes(id));
    this.libraries = this.libraries.filter(({ id }) => !sent.files.includes(id));
    if (sent.draw === JSON.stringify(this.imageOptions)) this.imageOptions = null;
    this.#store();
  }

  /** Put content back into the composer, before what was written since. */
  restore(content: DraftContent): void {
    this.#put(join(content, this.content));
    this.#store();
  }

  /** Store drafts under the conversation's own name, once the server has it. */
  moveToConversation(): void {
    if (this.#slot === NEW_CHAT) writeDraft(NEW_CHAT, EMPTY);
    this.#slot = this.#conversation;
  }

  /** Take over the draft of a closed tab, and its queue. */
  #adopt(draft: Draft): void {
    if (this.#slot !== NEW_CHAT) this.#sent ??= draft.sent;
    this.restore(draft);
    if (draft.conversation === undefined || draft.conversation === this.#conversation) return;
    const queue = new MessageQueue(draft.conversation);
    for (const { id } of queue.items.toReversed()) this.restore(queue.remove(id) ?? EMPTY);
  }

  #put({ text, files, libraries, model, compare, draw }: DraftContent): void {
    this.draft = text;
    this.files = files;
    this.libraries = libraries;
    this.nextModel = model ?? null;
    this.compare = compare ?? null;
    this.imageOptions = draw ?? null;
  }

  #store(): void {
    const current = { ...this.content, text: this.draft };
    const draft = this.#sending === null ? current : join(this.#sending, current);
    const filled = draft.text !== "" || draft.files.length + draft.libraries.length > 0 || this.#queue.items.length > 0;
    const conversation = this.#slot === NEW_CHAT && filled ? { conversation: this.#conversation } : {};
    const sent = this.#sent === undefined ? {} : { sent: this.#sent };
    writeDraft(this.#slot, { ...draft, ...conversation, ...sent });
    this.persistent = isDraftPersistent(this.#slot);
  }
}

function join(before: DraftContent, after: DraftContent): DraftContent {
  const texts = before.text === after.text ? [after.text] : [before.text, after.text];
  const model = after.model ?? before.model;
  const compare = after.compare ?? before.compare;
  const draw = after.draw ?? before.draw;
  return {
    text: texts.filter((text) => text !== "").join("\n\n"),
    files: union(before.files, after.files),
    libraries: union(before.libraries, after.libraries),
    ...(model !== undefined && { model }),
    ...(compare !== undefined && { compare }),
    ...(draw !== undefined && { draw }),
  };
}

function union<T extends { readonly id: string }>(before: readonly T[], after: readonly T[]): readonly T[] {
  const known = new Set(after.map(({ id }) => id));
  return [...before.filter(({ id }) => !known.has(id)), ...after];
}
