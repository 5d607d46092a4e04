// Sends what waits: one message after another, by one tab alone, each when the answer before it is complete.

import type { Conversation } from "./conversation.svelte.ts";
import type { QueuedMessage } from "./messageQueue.svelte.ts";
import { alone, isHeld } from "../lib/tabs.ts";

/** What became of a message: accepted, refused, or nobody knows. */
export type SendOutcome = "accepted" | "refused" | "lost";

export interface QueueHost {
  /** Bring the conversation up to date with the server. */
  read(): Promise<void>;
  say(message: QueuedMessage): Promise<SendOutcome>;
  /** Come back to it in a while. */
  later(): void;
}

export class QueueSender {
  /** The message that the server refused, or that waits for the person. */
  held = $state<string | null>(null);

  readonly #conversation: Conversation;
  readonly #speaker: QueueHost;
  #advancing = false;
  #again = false;
  /** The message that is to go out whatever became of the answer before it. */
  #urgent: string | null = null;

  constructor(conversation: Conversation, speaker: QueueHost) {
    this.#conversation = conversation;
    this.#speaker = speaker;
  }

  /** Let this one go out first, whatever became of the answer before it. */
  hasten(id: string): void {
    this.#conversation.queue.hasten(id);
    this.#urgent = id;
    this.held = null;
  }

  /** Let it go out when its turn comes, although it was refused. */
  release(id: string): void {
    if (this.held === id) this.held = null;
  }

  async advance(): Promise<void> {
    const { id, queue } = this.#conversation;
    if (queue.items.length === 0) return;
    if (this.#advancing) {
      this.#again = true;
      return;
    }
    this.#advancing = true;
    try {
      do {
        this.#again = false;
        await alone(`eclair.queue.${id}`, () => this.#sendNext());
      } while (this.#again);
    } finally {
      this.#advancing = false;
    }
  }

  async #sendNext(): Promise<void> {
    const conversation = this.#conversation;
    await this.#speaker.read();
    conversation.queue.refresh();
    const next = conversation.queue.items[0];
    if (next === undefined || conversation.running) return;
    if (conversation.messages.has(next.id)) {
      conversation.queue.take(next.id);
      this.#again = true;
      return;
    }
    if (conversation.connected && this.#due(next) && !(await isHeld(messageLock(next.id)))) await this.#send(next);
  }

  /** Whether its turn has come: the answer before it is complete, or the person wants it now. */
  #due(next: QueuedMessage): boolean {
    const { leaf, missing, paused } = this.#conversation;
    if (this.held === next.id || missing) return false;
    return this.#urgent === next.id || (leaf !== null && !paused);
  }

  async #send(next: QueuedMessage): Promise<void> {
    const fate = await this.#speaker.say(next);
    if (fate === "accepted") {
      if (this.#urgent === next.id) this.#urgent = null;
      this.#conversation.queue.take(next.id);
    } else if (fate === "lost") this.#speaker.later();
    else if (!this.#conversation.running) this.held = next.id;
  }
}

/** Held by the tab in which a message of the line is being edited. */
export function messageLock(message: string): string {
  return `eclair.queued.${message}`;
}
