// What the person writes: kept with every change, out of the composer while it is on its way, and back if it is refused.

import type { Attached } from "../composer/files.ts";
import type { Message } from "../events.ts";
import { newId } from "../ids.ts";
import { type Draft, inherit, isKept, keepDraft, NEW, readDraft, type Sent } from "./drafts.ts";
import { Queue } from "./queue.svelte.ts";

/** The content of a composer. */
export type Written = Pick<Draft, "text" | "files" | "model">;

const NOTHING: Written = { text: "", files: [] };

export class Writing {
  draft = $state("");
  files = $state.raw<readonly Attached[]>([]);
  /** The model that was chosen for the next message alone. */
  chosen = $state<string | null>(null);
  /** Whether it outlives this page. */
  safe = $state(true);

  readonly #conversation: string;
  readonly #queue: Queue;
  /** Where the draft lies: all new chats share one place until they are kept. */
  #drawer: string;
  #sent: Sent | undefined;
  /** What was taken out of the composer and is on its way. */
  #sending: Written | null = null;

  constructor(conversation: string, fresh: boolean, queue: Queue) {
    this.#conversation = conversation;
    this.#queue = queue;
    this.#drawer = fresh ? NEW : conversation;
    const draft = readDraft(this.#drawer);
    this.#sent = draft.sent;
    this.#put(draft);
    this.safe = isKept(this.#drawer);
    void inherit(this.#drawer, (left) => this.#inherit(left));
  }

  /** What is in the composer. */
  get now(): Written {
    const { draft, files, chosen } = this;
    return { text: draft.trim(), files, ...(chosen !== null && { model: chosen }) };
  }

  write(text: string): void {
    this.draft = text;
    this.#keep(false);
  }

  attach(file: Attached): void {
    this.files = [...this.files, file];
    this.#keep(true);
  }

  detach(id: string): void {
    this.files = this.files.filter((file) => file.id !== id);
    this.#keep(true);
  }

  /** Let this model answer the next message; null leaves it to what is chosen otherwise. */
  choose(model: string | null): void {
    this.chosen = model;
    this.#keep(false);
  }

  clear(): void {
    this.#put(NOTHING);
    this.#keep(true);
  }

  /** The id of what is about to be said: if its reply was lost the last time, the same one again. */
  identify({ text, files }: Written, parent: string | null): string {
    const names = files.map((file) => file.id);
    const last = this.#sent;
    const again = last?.text === text && last.parent === parent && last.files.join() === names.join();
    const id = again ? last.id : newId("msg");
    this.#sent = { id, text, files: names, parent };
    this.#keep(false);
    return id;
  }

  /** Take it out of the composer. Until it has arrived it stays in the draft. */
  sendOff(written: Written): void {
    this.#sending = written;
    this.#put(NOTHING);
  }

  /** What was sent off has arrived, or comes back. */
  settle(arrived: boolean): void {
    const sending = this.#sending ?? NOTHING;
    this.#sending = null;
    if (arrived) this.#keep(true);
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
    this.files = this.files.filter((file) => !sent.files.includes(file.id));
    this.#keep(true);
  }

  /** Put back into the composer what was taken out of it, before what was written since. */
  restore(back: Written): void {
    this.#put(joined(back, this.now));
    this.#keep(true);
  }

  /** A new chat becomes a kept one, with a place of its own for its drafts. */
  settleIn(): void {
    if (this.#drawer === NEW) keepDraft(NEW, NOTHING, true);
    this.#drawer = this.#conversation;
  }

  /** What a closed tab left here is ours from now on. */
  #inherit(left: Draft): void {
    if (this.#drawer !== NEW) this.#sent ??= left.sent;
    this.restore(left);
    if (left.conversation === undefined || left.conversation === this.#conversation) return;
    const line = new Queue(left.conversation);
    for (const { id } of line.items.toReversed()) this.restore(line.take(id) ?? NOTHING);
  }

  #put({ text, files, model }: Written): void {
    this.draft = text;
    this.files = files;
    this.chosen = model ?? null;
  }

  #keep(files: boolean): void {
    const here = { ...this.now, text: this.draft };
    const draft = this.#sending === null ? here : joined(this.#sending, here);
    const filled = draft.text !== "" || draft.files.length > 0 || this.#queue.items.length > 0;
    const conversation = this.#drawer === NEW && filled ? { conversation: this.#conversation } : {};
    const sent = this.#sent === undefined ? {} : { sent: this.#sent };
    keepDraft(this.#drawer, { ...draft, ...conversation, ...sent }, files);
    this.safe = isKept(this.#drawer);
  }
}

function joined(before: Written, after: Written): Written {
  const texts = before.text === after.text ? [after.text] : [before.text, after.text];
  const names = new Set(after.files.map((file) => file.id));
  const model = after.model ?? before.model;
  return {
    text: texts.filter((text) => text !== "").join("\n\n"),
    files: [...before.files.filter((file) => !names.has(file.id)), ...after.files],
    ...(model !== undefined && { model }),
  };
}
