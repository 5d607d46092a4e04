// Notifications of the system when an answer that took long is done and the page isn't looked at. The permission is
// this browser's, so the choice is too.

import { messageText } from "../api/fold.ts";
import type { Message } from "../api/events.ts";
import { t } from "../lib/i18n/translate.ts";
import { readStored, writeStored } from "../lib/storage.ts";

const STORED = "eclair.notify";
const MIN_ANSWER_MS = 5000;
const MAX_EXCERPT_CHARS = 140;

export class AnswerNotifications {
  /** They are wanted here. */
  wanted = $state(readStored(STORED) !== null);
  /** The browser refuses them. */
  blocked = $state(false);

  /** Turn them on, which asks the browser for permission, or off. */
  async choose(wanted: boolean): Promise<void> {
    this.wanted = wanted;
    this.blocked = wanted && (!("Notification" in globalThis) || (await Notification.requestPermission()) !== "granted");
    this.wanted = wanted && !this.blocked;
    writeStored(STORED, this.wanted ? "on" : null);
  }

  /** Show one for an answer, unless it was quick or the page is looked at. `open` shows the conversation. */
  notify(answer: Message, took: number, title: string, open: () => void): void {
    if (took < MIN_ANSWER_MS) return;
    const text = answer.status === "finished" ? messageText(answer).trim() : t("answerFailed");
    this.show(title, text.slice(0, MAX_EXCERPT_CHARS), answer.id, open);
  }

  /** Show one unless the page is looked at; another of the same `tag` takes its place. */
  show(title: string, body: string, tag: string, open: () => void): void {
    if (!this.wanted || document.hasFocus() || Notification.permission !== "granted") return;
    const shown = new Notification(title || "Éclair", { body, tag });
    shown.onclick = () => {
      focus();
      open();
      shown.close();
    };
  }
}
