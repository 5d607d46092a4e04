// The words of a recording that is still being made. Words that have settled aren't recognized again.

import { ApiError } from "../api/client.ts";
import type { DictatedText, Speech, SpokenLanguages } from "../api/speech.ts";
import type { DictatedRecording } from "./dictatedRecording.ts";

/** Words older than this, in seconds, aren't recognized again. */
const SETTLED_S = 12;
/** The sound is still there when a request for its words fails, which is then sent once more. */
const RETRY_MS = 500;
/** A request for words that takes longer is given up. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Words with a lower probability are mostly others than were said; where nobody may have spoken, sooner. A text that
 * can be compressed more repeats itself. See bench/LOG.md. */
const MIN_LOG_PROBABILITY = -0.9;
const MIN_LOG_PROBABILITY_IN_SILENCE = -0.6;
const MAX_SILENCE_PROBABILITY = 0.6;
const MAX_COMPRESSION_RATIO = 2.4;

export class RecordingText {
  text = "";
  /** The language of the words (ISO 639-1); empty before there are any. */
  language = "";
  languages: SpokenLanguages;
  /** Somebody has spoken, as voice activity detection tells. */
  hasSpeech = false;
  /** The milliseconds at the end of the recording in which nobody spoke. */
  silenceMs = 0;
  /** The model may have made the words up, as it does for noises. */
  isUnsure = false;
  readonly #speech: Speech;
  #settled = "";
  #after: number;
  /** This browser's recordings can't be read where some sound is missing. */
  #needsWhole = false;

  /** The words from `after` seconds on. */
  constructor(speech: Speech, languages: SpokenLanguages, after = 0) {
    this.#speech = speech;
    this.languages = languages;
    this.#after = after;
  }

  /** Recognize a recording that has grown. Its language is detected each time, since the first syllables may mislead. */
  async update(recording: DictatedRecording, signal: AbortSignal): Promise<void> {
    const said = await this.#dictateFrom(recording, signal);
    if (signal.aborted) return;
    this.hasSpeech ||= said.speech_end !== null;
    this.silenceMs = Math.max(0, said.heard_until - (said.speech_end ?? this.#after)) * 1000;
    this.isUnsure = this.#settled === "" && said.segments.length > 0 && said.segments.every(isUnsure);
    if (said.language !== null) this.language = said.language;
    const last = said.segments.at(-1);
    this.text = join([this.#settled, ...said.segments.map(({ text }) => text)]);
    if (last !== undefined && said.segments.length > 1 && last.start - this.#after > SETTLED_S) {
      this.#settled = join([this.#settled, ...said.segments.slice(0, -1).map(({ text }) => text)]);
      this.#after = last.start;
    }
  }

  /** Send only sound that isn't settled, so that what is sent grows with the time that one speaks, not its square. */
  async #dictateFrom(recording: DictatedRecording, signal: AbortSignal): Promise<DictatedText> {
    const part = this.#needsWhole ? null : recording.from(this.#after);
    if (part === null) return this.#dictate(recording.whole, false, signal);
    const { leastHeard } = recording; // it grows meanwhile
    try {
      const said = await this.#dictate(part, true, signal);
      if (said.heard_until >= leastHeard) return said;
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 422)) throw error;
    }
    this.#needsWhole = true;
    return this.#dictate(recording.whole, false, signal);
  }

  async #dictate(sound: File, isPartial: boolean, signal: AbortSignal): Promise<DictatedText> {
    const request = () => {
      const given = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
      return this.#speech.dictate(sound, this.languages, this.#after, given, isPartial);
    };
    try {
      return await request();
    } catch (error) {
      const mayPass = error instanceof ApiError && (error.status === 0 || error.status >= 500);
      if (signal.aborted || !mayPass) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      return request();
    }
  }
}

function isUnsure({ log_probability, silence_probability, compression_ratio }: DictatedText["segments"][number]): boolean {
  const least = silence_probability > MAX_SILENCE_PROBABILITY ? MIN_LOG_PROBABILITY_IN_SILENCE : MIN_LOG_PROBABILITY;
  return log_probability < least || compression_ratio > MAX_COMPRESSION_RATIO;
}

function join(texts: readonly string[]): string {
  return texts.filter((text) => text !== "").join(" ");
}
