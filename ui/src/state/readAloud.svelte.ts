// Reads one answer aloud at a time, sentence by sentence, while it is still being written, too. The next sentence is
// made while one is heard.

import { untrack } from "svelte";
import type { Message } from "../api/events.ts";
import { messageText } from "../api/fold.ts";
import type { Speech, SpokenSentence } from "../api/speech.ts";
import { type ErrorReport, toReport } from "../lib/errors.ts";
import type { Conversation } from "./conversation.svelte.ts";
import type { Preferences } from "./preferences.svelte.ts";
import { loadSystemVoices, SoundPlayer, systemVoice } from "./soundPlayer.ts";

/** The longest text that is asked for its sentences. */
const MAX_TEXT_CHARS = 400_000;
/** While a text grows, its sentences are asked for no more often. */
const MIN_ASK_INTERVAL_MS = 100;
/** Before the first words are spoken, somebody waits for them. */
const MIN_FIRST_ASK_INTERVAL_MS = 30;

/** Why nothing is read: the voices aren't installed, none speaks the language, or a report. */
export type ReadAloudProblem = "missing" | { readonly language: string | null } | { readonly report: string | ErrorReport };

/** A sentence that is ready to be heard: a sound made at a speed, or a voice of the system that says it. */
interface PreparedSentence {
  readonly sentence: SpokenSentence;
  readonly sound: { readonly blob: Blob; readonly speed: number } | SpeechSynthesisVoice;
}

export class ReadAloud {
  /** The answer that is being read, or that `problem` is about. */
  message = $state<string | null>(null);
  phase = $state<"idle" | "preparing" | "speaking">("idle");
  /** The sentence that is heard. */
  sentence = $state.raw<SpokenSentence | null>(null);
  problem = $state.raw<ReadAloudProblem | null>(null);
  /** The last two sentences, or parts of long ones, that were heard. */
  recent = "";
  /** The voice whose sample is heard. */
  sample = $state<string | null>(null);
  readonly #speech: Speech;
  readonly #preferences: Preferences;
  #player: SoundPlayer | null = null;
  #reading = new AbortController();
  #text = "";
  #isDone = false;
  /** Tells that the text has grown or ended. */
  #grow: () => void = () => {};
  #waiting: SpokenSentence[] = [];
  /** The end of the last sentence that was asked for. */
  #at = 0;
  #asked = 0;
  /** Sentences that no voice spoke have this language. */
  #unspoken: { readonly language: string | null } | null = null;
  #usesSystem = false;
  #language: string | null = null;
  /** The speed at which the sound that is heard was made. */
  #heard: number | null = null;
  #isPaused = false;
  #last = "";
  #wake: () => void = () => {};
  readonly #read = new Set<string>();

  constructor(speech: Speech, preferences: Preferences) {
    this.#speech = speech;
    this.#preferences = preferences;
  }

  get active(): boolean {
    return this.phase !== "idle";
  }

  get speed(): number {
    return this.#preferences.now.speech_speed;
  }

  /** Change the speed, of the sentence that is heard, too. */
  setSpeed(speed: number): void {
    this.#preferences.change({ speech_speed: speed });
    if (this.#heard !== null) this.#sounds.rate = speed / this.#heard;
  }

  /** Read an answer that was not begun to be read yet. */
  startOnce(conversation: Conversation, id: string, language: string | null = null): void {
    if (!this.#read.has(id)) this.start(conversation, id, language);
  }

  /** Read an answer of a conversation. `language` is that of sentences that tell none. With `usesSystem` the system's
   * voices read it. */
  start(conversation: Conversation, id: string, language: string | null = null, usesSystem = false): void {
    this.stop();
    this.#read.add(id);
    this.message = id;
    this.phase = "preparing";
    this.#text = "";
    this.#isDone = false;
    this.#waiting = [];
    this.#at = this.#asked = 0;
    this.#unspoken = null;
    this.#usesSystem = usesSystem;
    this.#language = language ?? this.#preferences.now.speech_language ?? this.#preferences.language;
    const reading = new AbortController();
    this.#reading = reading;
    const leave = $effect.root(() => {
      $effect(() => {
        const stored = conversation.messages.get(id);
        const answer = stored === undefined ? null : conversation.latest(stored);
        untrack(() => this.#follow(answer));
      });
    });
    reading.signal.addEventListener("abort", leave);
    void this.#run(reading);
  }

  /** Be silent at once. */
  stop(): void {
    this.#reading.abort();
    this.#end();
    this.message = this.problem = null;
    this.recent = this.#last = "";
  }

  /** Be silent for a while. */
  pause(): void {
    this.#isPaused = true;
    this.#player?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#player?.resume();
    this.#wake();
  }

  /** Let a voice say a sentence. */
  async hear(voice: string, language: string, text: string): Promise<void> {
    this.stop();
    const reading = new AbortController();
    this.#reading = reading;
    this.sample = voice;
    try {
      const blob = await this.#speech.sound({ text, voice, language, speed: this.speed }, reading.signal);
      this.#sounds.rate = 1;
      await this.#sounds.play(blob, reading.signal);
    } finally {
      if (this.#reading === reading) this.sample = null;
    }
  }

  /** Have the voices loaded before there is something to say. */
  async warm(language: string | null): Promise<void> {
    const { signal } = new AbortController();
    const [sentence] = await this.#speech.sentences({ text: "OK.", language: language ?? this.#preferences.language, voices: this.#voices }, signal);
    if (sentence?.voice != null) await this.#speech.sound({ text: sentence.text, voice: sentence.voice, language: sentence.language }, signal);
  }

  get #sounds(): SoundPlayer {
    return (this.#player ??= new SoundPlayer());
  }

  get #voices(): readonly string[] {
    return this.#preferences.now.speech_voices;
  }

  #follow(answer: Message | null): void {
    if (answer !== null) this.#text = messageText(answer).slice(0, MAX_TEXT_CHARS);
    this.#isDone = answer === null || (answer.status !== "running" && answer.status !== "waiting");
    this.#grow();
  }

  async #run(reading: AbortController): Promise<void> {
    const { signal } = reading;
    try {
      if (!(await this.#checkVoices(signal))) return;
      let next = this.#prepare(signal);
      for (let prepared = await next; prepared !== null; prepared = await next) {
        next = this.#prepare(signal);
        next.catch(() => null); // it is awaited after the sentence
        await this.#say(prepared, signal);
      }
      if (this.#unspoken !== null && !signal.aborted) this.problem = this.#unspoken;
    } catch (error) {
      if (signal.aborted) return;
      // The browser wants a click before it plays something.
      if (!(error instanceof DOMException && error.name === "NotAllowedError")) this.problem = { report: toReport(error) };
    } finally {
      if (this.#reading === reading) {
        reading.abort();
        this.#end();
        if (this.problem === null) this.message = null;
      }
    }
  }

  #end(): void {
    this.phase = "idle";
    this.sentence = this.#heard = this.sample = null;
    this.#isPaused = false;
  }

  /** Tell whether there are voices; where none can be installed, the system's are used. */
  async #checkVoices(signal: AbortSignal): Promise<boolean> {
    if (this.#usesSystem) return true;
    const { speaking } = await this.#speech.parts();
    if (signal.aborted || speaking.state === "ready") return !signal.aborted;
    this.#usesSystem = speaking.state === "unsupported";
    await loadSystemVoices();
    if (signal.aborted) return false;
    if (!this.#usesSystem) this.problem = "missing";
    return this.#usesSystem;
  }

  /** Return the next sentence with its sound; null at the end. */
  async #prepare(signal: AbortSignal): Promise<PreparedSentence | null> {
    for (;;) {
      const sentence = await this.#nextSentence(signal);
      if (sentence === null) return null;
      const { text, voice, language } = sentence;
      if (voice !== null && !this.#usesSystem) {
        const { speed } = this;
        return { sentence, sound: { blob: await this.#speech.sound({ text, voice, language, speed }, signal), speed } };
      }
      await loadSystemVoices();
      const sound = systemVoice(language ?? this.#language);
      if (sound !== null) return { sentence, sound };
      this.#unspoken = { language: language ?? this.#language };
    }
  }

  async #nextSentence(signal: AbortSignal): Promise<SpokenSentence | null> {
    while (this.#waiting.length === 0) {
      if (signal.aborted) return null;
      const text = this.#text;
      const done = this.#isDone;
      if (text.slice(this.#at).trim() !== "") {
        const early = this.#asked + (this.#at === 0 ? MIN_FIRST_ASK_INTERVAL_MS : MIN_ASK_INTERVAL_MS) - performance.now();
        if (!done && early > 0) await new Promise((resolve) => setTimeout(resolve, early));
        this.#asked = performance.now();
        this.#waiting = [...(await this.#speech.sentences({ text, start: this.#at, done, language: this.#language, voices: this.#voices }, signal))];
      }
      const last = this.#waiting.at(-1);
      if (last !== undefined) this.#at = last.end;
      else if (done) return null;
      else if (text === this.#text && !this.#isDone) await this.#growth(signal);
    }
    return this.#waiting.shift() ?? null;
  }

  #growth(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#grow = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  async #say({ sentence, sound }: PreparedSentence, signal: AbortSignal): Promise<void> {
    if (this.#isPaused) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    if (signal.aborted) return;
    this.recent = `${this.#last} ${sentence.text}`;
    this.#last = sentence.text;
    this.sentence = sentence;
    this.phase = "speaking";
    if ("blob" in sound) {
      this.#heard = sound.speed;
      this.#sounds.rate = this.speed / sound.speed;
      await this.#sounds.play(sound.blob, signal);
    } else await this.#sounds.utter(sentence.text, sound, this.speed, signal);
    if (signal.aborted) return;
    this.sentence = this.#heard = null;
    this.phase = "preparing";
  }
}
