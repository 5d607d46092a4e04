// A conversation by voice: it listens, sends what was said, reads the answer aloud while it is written, and listens
// again. Who speaks meanwhile interrupts it. Nothing of the sound is kept.

import { untrack } from "svelte";
import type { Message } from "../api/events.ts";
import type { Speech, SpokenLanguages } from "../api/speech.ts";
import { answerEnding } from "../lib/answer.ts";
import { CUE_MS, playCue, type Cue } from "../lib/cues.ts";
import { DictatedDraft } from "../lib/dictatedDraft.ts";
import { isEcho } from "../lib/echo.ts";
import { silenceThatEnds } from "../lib/endOfSpeech.ts";
import { type ErrorReport, toReport } from "../lib/errors.ts";
import type { Conversation } from "./conversation.svelte.ts";
import { Microphone, type MicrophoneProblem } from "./microphone.svelte.ts";
import type { Preferences } from "./preferences.svelte.ts";
import type { ReadAloud } from "./readAloud.svelte.ts";
import { RecordingText } from "./recordingText.ts";
import { keepScreenOn } from "./screenLock.ts";

const SLICE_MS = 250;
/** Sound that lasts this long is speech, while it listens and while it speaks. */
const ONSET_MS = 100;
const INTERRUPTION_MS = 250;
/** A gap in sound that is shorter doesn't end it. */
const GAP_MS = 150;
/** After this silence the words are recognized once more; how long the silence is after which they are sent, they tell. */
const PAUSE_MS = 300;
/** Sound without speech that lasts this long is a noise. */
const NOISE_MS = 800;
/** Silence that ends the conversation. */
const NOTHING_MS = 60_000;
/** Seconds of sound kept from before speech begins: a busy machine records a little late. */
const LEAD_S = 1;
/** Silence at the beginning of a recording that is worth leaving out, in seconds. */
const MAX_SILENCE_S = 10;

/** Why it has ended: no microphone, a part that is missing, an answer that failed, or a report. */
export type VoiceProblem = MicrophoneProblem | "listening" | "speaking" | { readonly answer: string } | { readonly report: string | ErrorReport };

/** While it is `asking`, the answer waits for a click, such as a permission. */
export type VoicePhase = "off" | "opening" | "listening" | "recognizing" | "thinking" | "speaking" | "asking";

/** How far the answer is. */
interface AnswerProgress {
  /** The answer that was requested last. */
  readonly requested: string | null;
  /** It is heard. */
  readonly speaks: boolean;
  /** It waits for a click. */
  readonly asks: boolean;
  /** Nothing is being written, read or sent. */
  readonly ended: boolean;
}

interface VoiceOptions {
  readonly speech: Speech;
  readonly readAloud: ReadAloud;
  readonly preferences: Preferences;
  readonly conversation: Conversation;
}

export class VoiceConversation {
  phase = $state<VoicePhase>("off");
  problem = $state.raw<VoiceProblem | null>(null);
  /** It ended because nobody spoke. */
  wasSilent = $state(false);
  /** The last words could not be understood, and it listens again. */
  isUnsure = $state(false);
  readonly #options: VoiceOptions;
  readonly #microphone: Microphone;
  /** Ends all that belongs to one conversation by voice. */
  #active = new AbortController();
  /** Ends the recognition of what is being said. */
  #hearing = new AbortController();
  #words: RecordingText | null = null;
  #busy: Promise<void> | null = null;
  /** How often somebody has seemed to have ended; only the last time counts. */
  #finishes = 0;
  /** The answer is paused for somebody who speaks. */
  #isInterrupting = false;
  /** The words among what the person types meanwhile. */
  #draft = new DictatedDraft("");
  /** The sentences being read when somebody began to speak. */
  #interrupted = "";
  #since = 0;
  #begun = 0;
  /** Sound up to now is a cue. */
  #cueUntil = 0;
  /** Voice activity detection says that nobody speaks, whatever the loudness. */
  #isNoise = false;
  #onset = 0;
  #loud = 0;
  /** When the sound was taken that was recognized last. */
  #heardUntil = 0;
  /** When the next words may be recognized, so that there is time for the last ones. */
  #restUntil = 0;
  #answer: string | null = null;
  /** The answer before the one to the last words. */
  #previous: string | null = null;
  #isSent = false;
  /** The language of the last words; empty before there are any. */
  #language = "";

  constructor(options: VoiceOptions) {
    this.#options = options;
    this.#microphone = new Microphone({
      sliceMs: SLICE_MS,
      onslice: () => this.#pump(),
      ontick: (isLoud) => this.#watch(isLoud),
      onlost: () => this.#fail("lost"),
      ontaken: () => this.leave(),
    });
  }

  get active(): boolean {
    return this.phase !== "off";
  }

  /** The loudness now, from 0 to 1. */
  get level(): number {
    return this.#microphone.level;
  }

  /** Begin to listen, or to read another answer in place of one that failed. */
  async start(failed: Message | null = null): Promise<void> {
    if (this.active) return;
    this.dismiss();
    this.phase = "opening";
    const active = new AbortController();
    this.#active = active;
    const { readAloud, conversation } = this.#options;
    readAloud.stop();
    conversation.spoken = true;
    keepScreenOn(active.signal);
    try {
      const problem = await this.#open(active.signal);
      if (active.signal.aborted) return;
      if (problem !== null) return this.#fail(problem);
    } catch (error) {
      if (!active.signal.aborted) this.#fail({ report: toReport(error) });
      return;
    }
    const leave = $effect.root(() => {
      $effect(() => {
        const { heldMessage } = conversation;
        const progress = this.#progress;
        untrack(() => (heldMessage === null ? this.#follow(progress) : this.#failSending()));
      });
    });
    active.signal.addEventListener("abort", leave);
    if (failed === null) this.#listen();
    else await this.#request(() => this.#retry(failed));
  }

  /** End it, and throw away what was not sent. */
  stop(): void {
    if (this.active) this.#discard();
    this.leave();
  }

  /** End it, and keep the words so far in the message field. */
  leave(): void {
    if (!this.active) return;
    this.#options.readAloud.stop();
    this.#close();
  }

  /** Forget why it ended. */
  dismiss(): void {
    this.problem = null;
    this.wasSilent = this.isUnsure = false;
  }

  async #open(signal: AbortSignal): Promise<VoiceProblem | null> {
    const { speech, readAloud, preferences } = this.#options;
    const { listening, speaking } = await speech.parts();
    if (signal.aborted) return null;
    if (listening.state !== "ready") return "listening";
    if (speaking.state !== "ready" && speaking.state !== "unsupported") return "speaking";
    // Recognizer and voice load while the microphone opens; if one fails, its first real request says so.
    speech.warmDictation().catch(() => null);
    if (speaking.state === "ready") readAloud.warm(preferences.now.speech_language).catch(() => null);
    return this.#microphone.open(() => !signal.aborted);
  }

  /** Wait for somebody to speak. */
  #listen(): void {
    this.#forget();
    this.phase = "listening";
    this.#since = performance.now();
    this.#cue("listening");
    this.#microphone.record();
    const { conversation } = this.#options;
    if (!conversation.running) void conversation.prefill();
  }

  #cue(cue: Cue): void {
    if (!this.#options.preferences.now.voice_cues) return;
    playCue(cue);
    this.#cueUntil = performance.now() + CUE_MS + GAP_MS;
  }

  /** Called many times a second: notice who begins or ends to speak. */
  #watch(sounds: boolean): void {
    const now = performance.now();
    const isLoud = sounds && now > this.#cueUntil;
    if (isLoud) {
      if (now - this.#loud > GAP_MS) this.#onset = now;
      this.#loud = now;
    }
    if (this.#words !== null) {
      if (this.phase === "recognizing" && !this.#isNoise && isLoud && now - this.#onset >= ONSET_MS) this.phase = "listening"; // it goes on
      if (this.phase !== "listening") return;
      const silence = now - this.#loud;
      const isHeard = this.#heardUntil >= this.#loud + PAUSE_MS / 2;
      if (silence > PAUSE_MS && !isHeard) this.#hearPause();
      if (silence > (isHeard ? this.#endMs : silenceThatEnds("", ""))) void this.#finish();
    } else if (this.phase === "listening" || this.phase === "thinking" || this.phase === "speaking") {
      const lasted = isLoud ? now - this.#onset : 0;
      if (lasted >= (this.phase === "listening" ? ONSET_MS : INTERRUPTION_MS)) this.#begin(now - this.#onset);
      else if (this.phase === "listening" && now - Math.max(this.#since, this.#loud) > NOTHING_MS) this.#endSilent();
    }
  }

  /** Somebody has spoken for some milliseconds: take the words, and be silent meanwhile. */
  #begin(forMs: number): void {
    const { speech, readAloud } = this.#options;
    if (this.phase !== "listening") {
      this.#isInterrupting = true;
      this.#interrupted = readAloud.recent;
      readAloud.pause();
    }
    const before = Math.max(0, this.#microphone.seconds - forMs / 1000 - LEAD_S);
    const after = this.#isInterrupting || before > MAX_SILENCE_S ? before : 0;
    this.#hearing = new AbortController();
    this.#words = new RecordingText(speech, this.#languages, after);
    this.#heardUntil = this.#restUntil = 0;
    this.#begun = performance.now();
    this.#isNoise = this.isUnsure = false;
    this.#draft = new DictatedDraft(this.#options.conversation.draft);
    this.phase = "listening";
  }

  #pump(): void {
    if (this.#words === null || this.phase !== "listening" || performance.now() < this.#restUntil) return;
    void this.#recognize();
  }

  /** Recognize the words up to a pause, which may be the last ones. */
  #hearPause(): void {
    if (this.#busy !== null) return;
    this.#restUntil = 0;
    this.#microphone.flush();
  }

  #recognize(): Promise<void> {
    return (this.#busy ??= this.#recognizeOnce().finally(() => (this.#busy = null)));
  }

  async #recognizeOnce(): Promise<void> {
    const words = this.#words;
    const { signal } = this.#hearing;
    if (words === null || this.#microphone.recording.length === 0) return;
    words.languages = this.#languages; // one can be chosen while one speaks
    const until = performance.now();
    try {
      await words.update(this.#microphone.recording, signal);
      if (signal.aborted) return;
      this.#heardUntil = until;
      this.#restUntil = performance.now() + (performance.now() - until);
      this.#write(words.text);
      this.#judge(words, until);
    } catch (error) {
      if (!signal.aborted) this.#fail({ report: toReport(error) });
    }
  }

  /** A noise that goes on must not keep the words from being sent, nor an answer from being read. */
  #judge(words: RecordingText, until: number): void {
    if (this.phase !== "listening") return;
    const isOver = words.hasSpeech ? words.silenceMs >= this.#endMs : until - this.#begun >= NOISE_MS && words.silenceMs >= NOISE_MS;
    if (!isOver) return;
    this.#isNoise = true;
    void this.#finish();
  }

  /** The silence that ends the words so far. */
  get #endMs(): number {
    return silenceThatEnds(this.#words?.text ?? "", this.#words?.language ?? "");
  }

  #write(text: string): void {
    const { conversation } = this.#options;
    conversation.write(this.#draft.write(conversation.draft, text));
  }

  /** Take the words that were not sent out of the composer again. */
  #discard(): void {
    if (this.#words !== null) this.#write("");
  }

  /** The person has ended: send the words, or go on with the answer where there were none. */
  async #finish(): Promise<void> {
    const words = this.#words;
    const { signal } = this.#hearing;
    const finish = (this.#finishes += 1);
    const isOver = () => signal.aborted || finish !== this.#finishes;
    this.phase = "recognizing";
    const end = this.#loud;
    await this.#busy;
    if (!isOver() && this.#heardUntil < end + PAUSE_MS / 2) await this.#recognize();
    if (isOver() || words === null || this.phase !== "recognizing") return;
    if (this.#isNoise && words.hasSpeech && words.silenceMs < this.#endMs / 2) {
      this.#isNoise = false; // somebody went on speaking in the noise
      this.phase = "listening";
      return;
    }
    if (this.#isNoise) this.#microphone.adapt();
    const { readAloud } = this.#options;
    const interrupted = this.#isInterrupting;
    const isAnswer = words.text !== "" && !words.isUnsure && !(interrupted && isEcho(words.text, this.#interrupted));
    this.isUnsure = words.text !== "" && words.isUnsure;
    if (!isAnswer) this.#discard();
    this.#forget();
    if (!isAnswer) {
      if (!interrupted) return this.#listen();
      this.phase = "thinking";
      this.#microphone.record();
      readAloud.resume();
      return this.#follow(this.#progress);
    }
    readAloud.stop();
    this.#cue("heard");
    this.#language = words.language;
    await this.#request(() => this.#send());
  }

  /** Request an answer, and follow it. */
  async #request(request: () => Promise<boolean>): Promise<void> {
    const { signal } = this.#active;
    this.phase = "thinking";
    this.#microphone.record();
    this.#answer = null;
    this.#previous = this.#options.conversation.requested;
    this.#isSent = false;
    const isAccepted = await request();
    if (signal.aborted) return;
    if (!isAccepted) return this.#failSending();
    this.#isSent = true;
    this.#follow(this.#progress);
  }

  /** Send the words, in place of an answer that is still being written. */
  async #send(): Promise<boolean> {
    const { conversation } = this.#options;
    const { running } = conversation;
    if (!(await conversation.send())) return false;
    const waiting = running ? conversation.queue.items.at(-1) : undefined;
    if (waiting !== undefined) await conversation.sendNow(waiting.id);
    return true;
  }

  async #retry(failed: Message): Promise<boolean> {
    const { conversation } = this.#options;
    await conversation.retry(failed);
    return conversation.requested !== this.#previous;
  }

  /** Follow the answer: read it once it is requested, say when it asks, and listen when it is over. */
  #follow({ requested, speaks, asks, ended }: AnswerProgress): void {
    const { conversation, readAloud } = this.#options;
    if (this.phase !== "thinking" && this.phase !== "speaking" && this.phase !== "asking") return;
    if (requested !== null && requested !== this.#previous && requested !== this.#answer) {
      this.#answer = requested;
      readAloud.startOnce(conversation, requested, this.#language || null);
    } else if (ended && this.#isSent) this.#finishAnswer();
    else if (asks) this.#ask();
    else if (speaks) this.phase = "speaking";
    else if (this.phase === "asking") this.phase = "thinking";
  }

  /** Say that the answer waits for a click. Nobody is taken to interrupt it meanwhile. */
  #ask(): void {
    if (this.phase === "asking") return;
    this.phase = "asking";
    this.#cue("asking");
  }

  #finishAnswer(): void {
    const { conversation, readAloud } = this.#options;
    const answer = conversation.messages.get(this.#answer ?? "");
    const ending = answer === undefined ? null : answerEnding(answer);
    if (ending?.fault) return this.#fail({ answer: ending.text });
    const { problem } = readAloud;
    if (problem === "missing") return this.#fail("speaking");
    if (problem !== null && "report" in problem) return this.#fail(problem);
    this.#listen();
  }

  /** The languages that may be spoken, of which the last one is likely. */
  get #languages(): SpokenLanguages {
    const { chosen, likely } = this.#options.preferences.spokenLanguages;
    return { chosen, likely: this.#language === "" ? likely : [...likely, this.#language] };
  }

  get #progress(): AnswerProgress {
    const { conversation, readAloud } = this.#options;
    const { requested, running, queue } = conversation;
    const answer = conversation.messages.get(requested ?? "");
    return {
      requested,
      speaks: readAloud.phase === "speaking",
      asks: answer !== undefined && conversation.latest(answer).status === "waiting",
      ended: !running && !readAloud.active && queue.items.length === 0,
    };
  }

  /** The words were not accepted; they stay where they can be sent again. */
  #failSending(): void {
    if (this.phase === "thinking") this.#fail({ report: this.#options.conversation.shownError ?? "" });
  }

  #endSilent(): void {
    this.stop();
    this.wasSilent = true;
  }

  #fail(problem: VoiceProblem): void {
    this.#options.readAloud.stop();
    this.#close();
    this.problem = problem;
  }

  #forget(): void {
    this.#hearing.abort();
    this.#words = null;
    this.#isInterrupting = false;
  }

  #close(): void {
    this.phase = "off";
    this.#options.conversation.spoken = false;
    this.#active.abort();
    this.#forget();
    this.#microphone.close();
  }
}
