// What the person writes: kept with every change, out of the composer while it is on its way, and back if it is refused.

import type { Attachment, LibraryName, Message } from "../api/events.ts";
import { newId } from "../lib/ids.ts";
import type { ImageOptions } from "../api/conversations.ts";
import { withoutEmpty } from "../lib/images.ts";
import { adoptDrafts, type Draft, isDraftPersistent, NEW_CHAT, readDraft, type SentDraft, writeDraft } from "./drafts.ts";
import { MessageQueue } from "./messageQueue.svelte.ts";

/** The content of a composer. */
export type DraftContent = Pick<Draft, "text" | "files" | "libraries" | "model" | "draw">;

const NOTHING: DraftContent = { text: "", files: [], libraries: [] };

export class ComposerDraft {
  draft = $state("");
  files = $state.raw<readonly Attachment[]>([]);
  /** What is to be searched for an answer. */
  libraries = $state.raw<readonly LibraryName[]>([]);
  /** The model that was chosen for the next message alone. */
  chosen = $state<string | null>(null);
  /** How pictures are wanted, where words are. */
  drawing = $state.raw<ImageOptions | null>(null);
  /** Whether it outlives this page. */
  safe = $state(true);

  readonly #conversation: string;
  readonly #queue: MessageQueue;
  /** Where the draft lies: all new chats share one place until they are kept. */
  #drawer: string;
  #sent: SentDraft | undefined;
  /** What was taken out of the composer and is on its way. */
  #sending: DraftContent | null = null;

  constructor(conversation: string, fresh: boolean, queue: MessageQueue) {
    this.#conversation = conversation;
    this.#queue = queue;
    this.#drawer = fresh ? NEW_CHAT : conversation;
    const draft = readDraft(this.#drawer);
    this.#sent = draft.sent;
    this.#put(draft);
    this.safe = isDraftPersistent(this.#drawer);
    void adoptDrafts(this.#drawer, (left) => this.#inherit(left));
  }

  /** What is in the composer. */
  get now(): DraftContent {
    const { draft, files, libraries, chosen, drawing } = this;
    return { text: draft.trim(), files, libraries, ...(chosen !== null && { model: chosen }), ...(drawing !== null && { draw: drawing }) };
  }

  write(text: string): void {
    this.draft = text;
    this.#keep();
  }

  attach(file: Attachment): void {
    this.files = [...this.files, file];
    this.#keep();
  }

  /** Whether the file may be erased: a message that may have been heard does not need it. */
  detach(id: string): boolean {
    if (this.drawing !== null && (this.drawing.sources ?? this.files.map((file) => file.id))[0] === id) this.drawing = withoutEmpty({ ...this.drawing, mask: undefined });
    this.files = this.files.filter((file) => file.id !== id);
    this.#keep();
    return this.#sent?.files.includes(id) !== true;
  }

  /** Have a library searched, or not. */
  setLibrary({ id, name }: LibraryName, wanted: boolean): void {
    const others = this.libraries.filter((library) => library.id !== id);
    this.libraries = wanted ? [...others, { id, name }] : others;
    this.#keep();
  }

  /** Let this model answer the next message; null leaves it to what is chosen otherwise. */
  choose(model: string | null): void {
    this.chosen = model;
    this.#keep();
  }

  /** Have pictures drawn of what is written; null asks for words. */
  draw(drawing: ImageOptions | null): void {
    this.drawing = drawing;
    this.#keep();
  }

  clear(): void {
    this.#put(NOTHING);
    this.#keep();
  }

  /** The id of what is about to be said: if its reply was lost the last time, the same one again. */
  identify({ text, files, libraries, draw }: DraftContent, parent: string | null): string {
    const names = [...files, ...libraries].map(({ id }) => id);
    const last = this.#sent;
    const drawing = draw === undefined ? {} : { draw: JSON.stringify(draw) };
    const same = last?.text === text && last.parent === parent && last.files.join() === names.join();
    const again = same && last.draw === drawing.draw;
    const id = again ? last.id : newId("msg");
    this.#sent = { id, text, files: names, ...drawing, parent };
    this.#keep();
    return id;
  }

  /** Take it out of the composer. Until it has arrived it stays in the draft. */
  sendOff(written: DraftContent): void {
    this.#sending = written;
    this.#put(NOTHING);
  }

  /** What was sent off has arrived, or comes back. */
  settle(arrived: boolean): void {
    const sending = this.#sending ?? NOTHING;
    this.#sending = null;
    if (arrived) this.#keep();
    else this.restore(sending);
  }

  /** Whether the message was heard is known: its id is not needed again. */
  answered(id: string): void {
    if (this.#sent?.id === id) this.#sent = undefined;
  }

  /** What was on its way when the page was closed, and arrived, is no draft any more. */
  forget(arrived: ReadonlyMap<string, Message>): void {
    const sent = this.#sent;
    if (sent === undefined || this.#sending !== null || !arrived.has(sent.id)) return;
    this.#sent = undefined;
    if (this.draft.startsWith(sent.text)) this.draft = this.draft.slice(sent.text.length).trimStart();
    this.files = this.files.filter(({ id }) => !sent.files.includes(id));
    this.libraries = this.libraries.filter(({ id }) => !sent.files.includes(id));
    if (sent.draw === JSON.stringify(this.drawing)) this.drawing = null;
    this.#keep();
  }

  /** Put back into the composer what was taken out of it, before what was written since. */
  restore(back: DraftContent): void {
    this.#put(joined(back, this.now));
    this.#keep();
  }

  /** A new chat becomes a kept one, with a place of its own for its drafts. */
  keep(): void {
    if (this.#drawer === NEW_CHAT) writeDraft(NEW_CHAT, NOTHING);
    this.#drawer = this.#conversation;
  }

  /** What a closed tab left here is ours from now on. */
  #inherit(left: Draft): void {
    if (this.#drawer !== NEW_CHAT) this.#sent ??= left.sent;
    this.restore(left);
    if (left.conversation === undefined || left.conversation === this.#conversation) return;
    const queue = new MessageQueue(left.conversation);
    for (const { id } of queue.items.toReversed()) this.restore(queue.remove(id) ?? NOTHING);
  }

  #put({ text, files, libraries, model, draw }: DraftContent): void {
    this.draft = text;
    this.files = files;
    this.libraries = libraries;
    this.chosen = model ?? null;
    this.drawing = draw ?? null;
  }

  #keep(): void {
    const here = { ...this.now, text: this.draft };
    const draft = this.#sending === null ? here : joined(this.#sending, here);
    const filled = draft.text !== "" || draft.files.length + draft.libraries.length > 0 || this.#queue.items.length > 0;
    const conversation = this.#drawer === NEW_CHAT && filled ? { conversation: this.#conversation } : {};
    const sent = this.#sent === undefined ? {} : { sent: this.#sent };
    writeDraft(this.#drawer, { ...draft, ...conversation, ...sent });
    this.safe = isDraftPersistent(this.#drawer);
  }
}

function joined(before: DraftContent, after: DraftContent): DraftContent {
  const texts = before.text === after.text ? [after.text] : [before.text, after.text];
  const model = after.model ?? before.model;
  const draw = after.draw ?? before.draw;
  return {
    text: texts.filter((text) => text !== "").join("\n\n"),
    files: united(before.files, after.files),
    libraries: united(before.libraries, after.libraries),
    ...(model !== undefined && { model }),
    ...(draw !== undefined && { draw }),
  };
}

function united<T extends { readonly id: string }>(before: readonly T[], after: readonly T[]): readonly T[] {
  const known = new Set(after.map(({ id }) => id));
  return [...before.filter(({ id }) => !known.has(id)), ...after];
}
