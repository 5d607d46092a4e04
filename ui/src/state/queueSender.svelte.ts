// Sends queued messages one after another, from one tab alone, each when the answer before it is complete.

import type { Messages } from "../lib/messageTree.ts";
import type { MessageQueue, QueuedMessage } from "./messageQueue.svelte.ts";
import { isLockHeld, withLock } from "../lib/tabs.ts";

/** The result of sending a message; `lost` means that the server may have it. */
export type SendOutcome = "accepted" | "refused" | "lost";

/** The conversation whose queue is sent. */
export interface QueueHost {
  readonly id: string;
  readonly queue: MessageQueue;
  readonly messages: Messages;
  readonly leaf: string | null;
  readonly connected: boolean;
  readonly missing: boolean;
  readonly paused: boolean;
  readonly running: boolean;
}

/** How queued messages are sent. */
export interface Delivery {
  /** Bring the conversation up to date with the server. */
  refresh(): Promise<void>;
  send(message: QueuedMessage): Promise<SendOutcome>;
  /** Try again in a while. */
  retryLater(): void;
}

export class QueueSender {
  /** The message that the server refused; the queue waits until it is changed. */
  heldMessage = $state<string | null>(null);

  readonly #host: QueueHost;
  readonly #delivery: Delivery;
  #advancing = false;
  #again = false;
  /** The message to send even if the answer before it is incomplete. */
  #urgent: string | null = null;

  constructor(host: QueueHost, delivery: Delivery) {
    this.#host = host;
    this.#delivery = delivery;
  }

  /** Send this message next, even if the answer before it is incomplete. */
  sendNow(id: string): void {
    this.#host.queue.moveToFront(id);
    this.#urgent = id;
    this.heldMessage = null;
  }

  /** Send a refused message again when its turn comes. */
  release(id: string): void {
    if (this.heldMessage === id) this.heldMessage = null;
  }

  async advance(): Promise<void> {
    const { id, queue } = this.#host;
    if (queue.items.length === 0) return;
    if (this.#advancing) {
      this.#again = true;
      return;
    }
    this.#advancing = true;
    try {
      do {
        this.#again = false;
        await withLock(`eclair.queue.${id}`, () => this.#sendNext());
      } while (this.#again);
    } finally {
      this.#advancing = false;
    }
  }

  async #sendNext(): Promise<void> {
    const host = this.#host;
    await this.#delivery.refresh();
    host.queue.refresh();
    const next = host.queue.items[0];
    if (next === undefined || host.running) return;
    if (host.messages.has(next.id)) {
      host.queue.remove(next.id);
      this.#again = true;
      return;
    }
    if (host.connected && this.#isDue(next) && !(await isLockHeld(messageLock(next.id)))) await this.#send(next);
  }

  /** True once the answer before it is complete, or when the person wants it sent now. */
  #isDue(next: QueuedMessage): boolean {
    const { leaf, missing, paused } = this.#host;
    if (this.heldMessage === next.id || missing) return false;
    return this.#urgent === next.id || (leaf !== null && !paused);
  }

  async #send(next: QueuedMessage): Promise<void> {
    const outcome = await this.#delivery.send(next);
    if (outcome === "accepted") {
      if (this.#urgent === next.id) this.#urgent = null;
      this.#host.queue.remove(next.id);
    } else if (outcome === "lost") this.#delivery.retryLater();
    else if (!this.#host.running) this.heldMessage = next.id;
  }
}

/** The lock that a tab holds while it edits a queued message. */
export function messageLock(message: string): string {
  return `eclair.queued.${message}`;
}
