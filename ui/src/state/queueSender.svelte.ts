// Sends what waits: one message after another, by one tab alone, each when the answer before it is complete.

import type { Messages } from "../lib/messageTree.ts";
import type { MessageQueue, QueuedMessage } from "./messageQueue.svelte.ts";
import { isLockHeld, withLock } from "../lib/tabs.ts";

/** What became of a message: accepted, refused, or nobody knows. */
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

/** What sending a message takes. */
export interface Delivery {
  /** Bring the conversation up to date with the server. */
  refresh(): Promise<void>;
  send(message: QueuedMessage): Promise<SendOutcome>;
  /** Come back to it in a while. */
  retryLater(): void;
}

export class QueueSender {
  /** The message that the server refused, or that waits for the person. */
  held = $state<string | null>(null);

  readonly #host: QueueHost;
  readonly #delivery: Delivery;
  #advancing = false;
  #again = false;
  /** The message that is to go out whatever became of the answer before it. */
  #urgent: string | null = null;

  constructor(host: QueueHost, delivery: Delivery) {
    this.#host = host;
    this.#delivery = delivery;
  }

  /** Let this one go out first, whatever became of the answer before it. */
  sendNow(id: string): void {
    this.#host.queue.moveToFront(id);
    this.#urgent = id;
    this.held = null;
  }

  /** Let it go out when its turn comes, although it was refused. */
  release(id: string): void {
    if (this.held === id) this.held = null;
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
    if (host.connected && this.#due(next) && !(await isLockHeld(messageLock(next.id)))) await this.#send(next);
  }

  /** Whether its turn has come: the answer before it is complete, or the person wants it now. */
  #due(next: QueuedMessage): boolean {
    const { leaf, missing, paused } = this.#host;
    if (this.held === next.id || missing) return false;
    return this.#urgent === next.id || (leaf !== null && !paused);
  }

  async #send(next: QueuedMessage): Promise<void> {
    const fate = await this.#delivery.send(next);
    if (fate === "accepted") {
      if (this.#urgent === next.id) this.#urgent = null;
      this.#host.queue.remove(next.id);
    } else if (fate === "lost") this.#delivery.retryLater();
    else if (!this.#host.running) this.held = next.id;
  }
}

/** Held by the tab in which a message of the line is being edited. */
export function messageLock(message: string): string {
  return `eclair.queued.${message}`;
}
