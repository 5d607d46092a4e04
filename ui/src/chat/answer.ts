// What is said beneath an answer: how it ended, and its figures.

import type { Message } from "../events.ts";
import { strings } from "../i18n/strings.ts";

export interface Ending {
  readonly text: string;
  readonly fault: boolean;
  /** Whether the answer can be taken up where it ended. */
  readonly resumable: boolean;
}

/** How the answer ended, unless it simply ended. */
export function remark(message: Message): Ending | null {
  switch (message.status) {
    case "stopped":
      return { text: strings.stopped, fault: false, resumable: true };
    case "interrupted":
      return { text: strings.interrupted, fault: false, resumable: true };
    case "failed":
      return { text: message.fault?.message ?? strings.failed, fault: true, resumable: true };
    case "finished":
      if (message.finish_reason === "length") return { text: strings.cut, fault: false, resumable: true };
      return message.finish_reason === "content_filter" ? { text: strings.filtered, fault: false, resumable: false } : null;
    default:
      return null;
  }
}

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SECONDS = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** `0.12 s to first word · 143 words · 98 words/s · SmolLM2`. */
export function figures(message: Message, models: ReadonlyMap<string, string>): string {
  const { usage, model } = message;
  const pieces: string[] = [];
  if (usage !== null) {
    if (usage.first_word_ms !== null) pieces.push(strings.firstWord(SECONDS.format(usage.first_word_ms / 1000)));
    pieces.push(strings.words(usage.words, NUMBER.format(usage.words)));
    if (usage.words_per_second !== null) pieces.push(strings.speed(NUMBER.format(usage.words_per_second)));
  }
  if (model !== null) pieces.push(models.get(model) ?? model);
  return pieces.join(" · ");
}
