// Messages that wait for the running answer to end. Each lies in the browser's storage under a name of its own, so
// that tabs which change the line at the same time lose nothing; the order is a number in each.

import type { Attachment, LibraryName } from "../api/events.ts";
import type { ImageOptions } from "../api/conversations.ts";
import { isPersistent, readStoredJson, storedNames, writeStored } from "../lib/storage.ts";

const QUEUE = "eclair.queue.";

export interface QueuedMessage {
  /** The id that it will be sent under, by whichever tab. */
  readonly id: string;
  readonly text: string;
  readonly files: readonly Attachment[];
  readonly libraries: readonly LibraryName[];
  readonly model?: string;
  readonly draw?: ImageOptions;
  readonly order: number;
}

export class MessageQueue {
  items = $state.raw<readonly QueuedMessage[]>([]);
  /** Whether all of it outlives this page. */
  kept = $state(true);
  readonly #prefix: string;
  /** Whether it is stored at all; the line of a temporary chat is not. */
  readonly #stored: boolean;

  constructor(conversation: string, stored = true) {
    this.#prefix = `${QUEUE}${conversation}.`;
    this.#stored = stored;
    this.refresh();
  }

  /** What the other tabs have made of it. */
  refresh(): void {
    if (!this.#stored) return;
    const names = storedNames(this.#prefix);
    this.kept = names.every(isPersistent);
    const found = names.flatMap((key) => readStoredJson<QueuedMessage>(key) ?? []);
    this.#line(found);
  }

  add(message: Omit<QueuedMessage, "order">): void {
    this.#put({ ...message, order: Math.max(Date.now(), (this.items.at(-1)?.order ?? 0) + 1) });
  }

  /** False when it is not in the line any more. */
  change(id: string, text: string): boolean {
    this.refresh();
    const item = this.#find(id);
    if (item !== undefined) this.#put({ ...item, text });
    return item !== undefined;
  }

  /** Change places with the one before (-1) or after (1). */
  move(id: string, by: -1 | 1): void {
    const at = this.items.findIndex((item) => item.id === id);
    const [item, other] = [this.items[at], this.items[at + by]];
    if (item === undefined || other === undefined) return;
    this.#put({ ...item, order: other.order });
    this.#put({ ...other, order: item.order });
  }

  /** Put it at the head of the line. */
  moveToFront(id: string): void {
    const [item, head] = [this.#find(id), this.items[0]];
    if (item !== undefined && head !== undefined && head.id !== id) this.#put({ ...item, order: head.order - 1 });
  }

  /** Take it out of the line; undefined when another tab was faster. */
  remove(id: string): QueuedMessage | undefined {
    this.refresh();
    const item = this.#find(id);
    if (this.#stored) writeStored(this.#prefix + id, null);
    this.#line(this.items.filter((other) => other.id !== id));
    return item;
  }

  #find(id: string): QueuedMessage | undefined {
    return this.items.find((item) => item.id === id);
  }

  #put(item: QueuedMessage): void {
    if (this.#stored) writeStored(this.#prefix + item.id, JSON.stringify(item));
    this.#line([...this.items.filter((other) => other.id !== item.id), item]);
    this.refresh();
  }

  #line(items: readonly QueuedMessage[]): void {
    this.items = items.toSorted((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
  }
}
