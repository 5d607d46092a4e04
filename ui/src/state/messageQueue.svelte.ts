// Messages that wait for the answer in progress to end. Each is stored in the browser under a name of its own, so that
// tabs which change the queue at the same time lose nothing; each holds its place in the order as a number.

import type { Attachment, LibraryName } from "../api/events.ts";
import type { ImageOptions } from "../api/conversations.ts";
import { isPersistent, readStoredJson, storedNames, writeStored } from "../lib/storage.ts";

const QUEUE = "eclair.queue.";

export interface QueuedMessage {
  /** The id that it will be sent with, by any tab. */
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
  /** All of it survives a reload. */
  persistent = $state(true);
  readonly #prefix: string;
  /** False for a temporary chat, whose queue lives in memory. */
  readonly #stored: boolean;

  constructor(conversation: string, stored = true) {
    this.#prefix = `${QUEUE}${conversation}.`;
    this.#stored = stored;
    this.refresh();
  }

  /** Read the changes of other tabs. */
  refresh(): void {
    if (!this.#stored) return;
    const names = storedNames(this.#prefix);
    this.persistent = names.every(isPersistent);
    const found = names.flatMap((key) => readStoredJson<QueuedMessage>(key) ?? []);
    this.#sort(found);
  }

  add(message: Omit<QueuedMessage, "order">): void {
    this.#put({ ...message, order: Math.max(Date.now(), (this.items.at(-1)?.order ?? 0) + 1) });
  }

  /** Change a message's text; false when it has left the queue. */
  change(id: string, text: string): boolean {
    this.refresh();
    const item = this.#find(id);
    if (item !== undefined) this.#put({ ...item, text });
    return item !== undefined;
  }

  /** Swap a message with the one before (-1) or after (1). */
  move(id: string, by: -1 | 1): void {
    const at = this.items.findIndex((item) => item.id === id);
    const [item, other] = [this.items[at], this.items[at + by]];
    if (item === undefined || other === undefined) return;
    this.#put({ ...item, order: other.order });
    this.#put({ ...other, order: item.order });
  }

  /** Move a message to the front of the queue. */
  moveToFront(id: string): void {
    const [item, head] = [this.#find(id), this.items[0]];
    if (item !== undefined && head !== undefined && head.id !== id) this.#put({ ...item, order: head.order - 1 });
  }

  /** Take a message out of the queue; undefined when another tab was faster. */
  remove(id: string): QueuedMessage | undefined {
    this.refresh();
    const item = this.#find(id);
    if (this.#stored) writeStored(this.#prefix + id, null);
    this.#sort(this.items.filter((other) => other.id !== id));
    return item;
  }

  #find(id: string): QueuedMessage | undefined {
    return this.items.find((item) => item.id === id);
  }

  #put(item: QueuedMessage): void {
    if (this.#stored) writeStored(this.#prefix + item.id, JSON.stringify(item));
    this.#sort([...this.items.filter((other) => other.id !== item.id), item]);
    this.refresh();
  }

  #sort(items: readonly QueuedMessage[]): void {
    this.items = items.toSorted((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
  }
}
