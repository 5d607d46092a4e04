// The words of a recording that is still being made. Words that have settled aren't recognized again.

import type { Speech, SpokenLanguages } from "../api/speech.ts";

/** Words older than this, in seconds, aren't recognized again. */
const SETTLED_S = 12;

export class RecordingText {
  text = "";
  /** The language of the words (ISO 639-1); empty before there are any. */
  language = "";
  languages: SpokenLanguages;
  readonly #speech: Speech;
  #settled = "";
  #after: number;

  /** The words from `after` seconds on. */
  constructor(speech: Speech, languages: SpokenLanguages, after = 0) {
    this.#speech = speech;
    this.languages = languages;
    this.#after = after;
  }

  /** Recognize a recording that has grown. Its language is detected each time, since the first syllables may mislead. */
  async update(recording: File, signal: AbortSignal): Promise<void> {
    const said = await this.#speech.dictate(recording, this.languages, this.#after, signal);
    if (signal.aborted) return;
    if (said.language !== null) this.language = said.language;
    const last = said.segments.at(-1);
    this.text = join([this.#settled, ...said.segments.map(({ text }) => text)]);
    if (last !== undefined && said.segments.length > 1 && last.start - this.#after > SETTLED_S) {
      this.#settled = join([this.#settled, ...said.segments.slice(0, -1).map(({ text }) => text)]);
      this.#after = last.start;
    }
  }
}

function join(texts: readonly string[]): string {
  return texts.filter((text) => text !== "").join(" ");
}
