// Dictation: the microphone's sound is sent while one speaks, and what was said comes back as text. Nothing is kept.

import type { Speech, SpokenLanguages } from "../api/speech.ts";
import { type ErrorReport, toReport } from "../lib/errors.ts";
import { Microphone, type MicrophoneProblem } from "./microphone.svelte.ts";
import { RecordingText } from "./recordingText.ts";

const SLICE_MS = 500;
/** Silence after words ends a dictation, and so does a microphone that gives none. */
const SILENCE_MS = 2500;
const NOTHING_MS = 15_000;
/** Time between two ticks that counts as silence at most: a busy machine may not have listened meanwhile. */
const MAX_TICK_MS = 250;

/** Why there was no dictation. */
export type DictationProblem = MicrophoneProblem | "nothing" | "missing" | { readonly report: string | ErrorReport };

interface DictationOptions {
  readonly speech: Speech;
  /** The languages that may be spoken now. */
  languages(): SpokenLanguages;
  /** Shows the words so far; an empty text takes them away. */
  write(text: string): void;
  /** Called when a dictation has ended by itself or by the person, but not when they have left it. */
  onend(): void;
}

export class Dictation {
  phase = $state<"idle" | "opening" | "listening" | "finishing">("idle");
  problem = $state.raw<DictationProblem | null>(null);
  readonly #options: DictationOptions;
  readonly #microphone: Microphone;
  #abort = new AbortController();
  #words: RecordingText;
  #sent = 0;
  #busy: Promise<void> | null = null;
  /** True once what was recorded is written, false if it never will be. */
  #finishing: Promise<boolean> = Promise.resolve(true);
  /** When the microphone was listened to last, and the milliseconds since when it isn't louder than the room. */
  #ticked = 0;
  #silenceMs = 0;

  constructor(options: DictationOptions) {
    this.#options = options;
    this.#words = new RecordingText(options.speech, options.languages());
    this.#microphone = new Microphone({
      sliceMs: SLICE_MS,
      onslice: () => {
        if (this.phase === "listening") this.#pump();
      },
      ontick: (isLoud) => this.#watchSilence(isLoud),
      onlost: () => void this.#lose(),
      ontaken: () => this.leave(),
    });
  }

  get active(): boolean {
    return this.phase !== "idle";
  }

  /** The loudness now, from 0 to 1. */
  get level(): number {
    return this.#microphone.level;
  }

  /** Open the microphone and begin. */
  async start(): Promise<void> {
    if (this.active) return;
    this.problem = null;
    const { signal } = (this.#abort = new AbortController());
    this.#words = new RecordingText(this.#options.speech, this.#options.languages());
    this.#sent = 0;
    this.phase = "opening";
    try {
      const problem = await this.#open(signal);
      if (problem === null || signal.aborted) return;
      this.problem = problem;
    } catch (error) {
      if (signal.aborted) return;
      this.problem = { report: toReport(error) };
    }
    this.#end();
  }

  /** End the recording, and recognize the rest of it; end at once where there is none yet. Return whether all that was
   * said is written. */
  async stop(): Promise<boolean> {
    if (this.phase === "opening") this.#end();
    if (this.phase === "idle") return true;
    if (this.phase === "listening") {
      this.phase = "finishing";
      this.#finishing = this.#finish();
    }
    return this.#finishing;
  }

  /** Throw the recording and its words away. */
  cancel(): void {
    if (!this.active) {
      this.problem = null;
      return;
    }
    this.#options.write("");
    this.#end();
  }

  /** End it at once, and keep the words so far. */
  leave(): void {
    if (this.active) this.#close();
  }

  /** Open what a dictation needs; return why there can be none. */
  async #open(signal: AbortSignal): Promise<DictationProblem | null> {
    const { listening } = await this.#options.speech.parts();
    if (listening.state !== "ready") return "missing";
    this.#options.speech.warmDictation().catch(() => null); // the first words will tell
    if (signal.aborted) return null;
    const problem = await this.#microphone.open(() => !signal.aborted);
    if (problem !== null || signal.aborted) return problem;
    this.#microphone.record();
    this.#ticked = performance.now();
    this.#silenceMs = 0;
    this.phase = "listening";
    return null;
  }

  async #finish(): Promise<boolean> {
    const { signal } = this.#abort;
    await this.#microphone.finish();
    await this.#busy;
    if (!signal.aborted) await this.#recognize();
    if (signal.aborted) return false;
    if (this.#words.text === "" && this.problem === null) this.problem = "nothing";
    this.#end();
    return true;
  }

  /** Keep the words that were said before the microphone went. */
  async #lose(): Promise<void> {
    const { signal } = this.#abort;
    await this.stop();
    if (signal === this.#abort.signal) this.problem = "lost";
  }

  #watchSilence(isLoud: boolean): void {
    const now = performance.now();
    this.#silenceMs = isLoud ? 0 : this.#silenceMs + Math.min(now - this.#ticked, MAX_TICK_MS);
    this.#ticked = now;
    if (this.#silenceMs > (this.#words.text === "" ? NOTHING_MS : SILENCE_MS)) void this.stop();
  }

  /** Recognize what is new, unless that is being done; then it is done again afterwards. */
  #pump(): void {
    if (this.#busy !== null) return;
    this.#busy = this.#recognize().finally(() => {
      this.#busy = null;
      if (this.phase === "listening" && this.#microphone.recording.length > this.#sent) this.#pump();
    });
  }

  async #recognize(): Promise<void> {
    const { signal } = this.#abort;
    const words = this.#words;
    this.#sent = this.#microphone.recording.length;
    if (this.#sent === 0) return;
    words.languages = this.#options.languages(); // one can be chosen while one speaks
    try {
      await words.update(this.#microphone.recording, signal);
      if (signal.aborted) return;
      this.#options.write(words.text);
      // In a noise, only voice activity detection tells that nobody speaks.
      if (this.phase === "listening" && words.silenceMs >= (words.hasSpeech ? SILENCE_MS : NOTHING_MS)) void this.stop();
    } catch (error) {
      if (signal.aborted) return;
      this.problem = { report: toReport(error) };
      this.#end();
    }
  }

  #end(): void {
    this.#close();
    this.#options.onend();
  }

  #close(): void {
    this.phase = "idle";
    this.#abort.abort();
    this.#microphone.close();
  }
}
