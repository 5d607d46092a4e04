// Dictation: the microphone's sound is sent while one speaks, and what was said comes back as text. Nothing is kept.

import type { Speech } from "../api/speech.ts";
import { type ErrorReport, toReport } from "../lib/errors.ts";

const SLICE_MS = 500;
const BITS_PER_SECOND = 32_000;
const FORMATS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
const LEVEL_INTERVAL_MS = 100;
/** Silence after words ends a dictation, and so does a microphone that gives none. */
const SILENCE_MS = 2500;
const NOTHING_MS = 15_000;
/** Levels below this are silence, whatever the room. */
const QUIET_LEVEL = 0.01;
/** Words older than this, in seconds, aren't recognized again. */
const SETTLED_S = 12;

/** Why there was no dictation. */
export type DictationProblem = "none" | "refused" | "insecure" | "nothing" | "missing" | { readonly report: string | ErrorReport };

interface DictationOptions {
  readonly speech: Speech;
  /** Shows the words so far; an empty text takes them away. */
  write(text: string): void;
  /** Called when a dictation has ended, whatever the reason. */
  onend(): void;
}

export class Dictation {
  phase = $state<"idle" | "opening" | "listening" | "finishing">("idle");
  /** The loudness now, from 0 to 1. */
  level = $state(0);
  problem = $state.raw<DictationProblem | null>(null);
  /** The language that is spoken (ISO 639-1); empty where it is recognized. */
  language = $state("");
  readonly #options: DictationOptions;
  #stream: MediaStream | null = null;
  #recorder: MediaRecorder | null = null;
  #audio: AudioContext | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #abort = new AbortController();
  #slices: Blob[] = [];
  #sent = 0;
  #busy: Promise<void> | null = null;
  #settled = "";
  #after = 0;
  #text = "";
  #detected = "";

  constructor(options: DictationOptions) {
    this.#options = options;
  }

  get active(): boolean {
    return this.phase !== "idle";
  }

  /** Open the microphone and begin. */
  async start(): Promise<void> {
    if (this.active) return;
    this.#reset();
    this.phase = "opening";
    try {
      const problem = await this.#open();
      if (problem === null) return;
      this.problem = problem;
    } catch (error) {
      this.problem = { report: toReport(error) };
    }
    this.#close();
  }

  /** End the recording, and recognize the rest of it. */
  async stop(): Promise<void> {
    const recorder = this.#recorder;
    if (this.phase !== "listening" || recorder === null) return;
    this.phase = "finishing";
    const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
    recorder.stop();
    this.#release();
    await stopped;
    await this.#busy;
    if (this.phase !== "finishing") return;
    await this.#recognize();
    if (this.phase !== "finishing") return;
    if (this.#text === "" && this.problem === null) this.problem = "nothing";
    this.#close();
  }

  /** Throw the recording and its words away. */
  cancel(): void {
    if (!this.active) {
      this.problem = null;
      return;
    }
    this.#options.write("");
    this.#close();
  }

  /** Open what a dictation needs; return why there can be none. */
  async #open(): Promise<DictationProblem | null> {
    const { listening } = await this.#options.speech.parts();
    if (listening.state !== "ready") return "missing";
    // Without a secure address, browsers have no media devices at all.
    if (!isSecureContext) return "insecure";
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true } });
    } catch (error) {
      return error instanceof DOMException && ["NotAllowedError", "SecurityError"].includes(error.name) ? "refused" : "none";
    }
    if (this.phase !== "opening") {
      for (const track of stream.getTracks()) track.stop();
      return null;
    }
    this.#stream = stream;
    const mimeType = FORMATS.find((format) => MediaRecorder.isTypeSupported(format)) ?? "";
    this.#recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: BITS_PER_SECOND });
    this.#recorder.ondataavailable = ({ data }) => {
      if (data.size > 0) this.#slices.push(data);
      if (this.phase === "listening") this.#pump();
    };
    this.#recorder.start(SLICE_MS);
    this.#measure(stream);
    this.phase = "listening";
    return null;
  }

  /** Follow the loudness, and end the dictation after silence. */
  #measure(stream: MediaStream): void {
    this.#audio = new AudioContext();
    const analyser = this.#audio.createAnalyser();
    this.#audio.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const began = performance.now();
    let loud = began;
    let floor = QUIET_LEVEL;
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const loudness = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
      floor = Math.max(QUIET_LEVEL, Math.min(loudness * 1.5, floor * 1.01));
      const now = performance.now();
      if (loudness > floor * 1.5) loud = now;
      this.level = Math.min(1, loudness * 6);
      const silent = now - loud;
      if ((this.#text !== "" && silent > SILENCE_MS) || (this.#text === "" && silent > NOTHING_MS)) void this.stop();
    }, LEVEL_INTERVAL_MS);
  }

  /** Recognize what is new, unless that is being done; then it is done again afterwards. */
  #pump(): void {
    if (this.#busy !== null) return;
    this.#busy = this.#recognize().finally(() => {
      this.#busy = null;
      if (this.phase === "listening" && this.#slices.length > this.#sent) this.#pump();
    });
  }

  async #recognize(): Promise<void> {
    const slices = this.#slices;
    if (slices.length === 0) return;
    this.#sent = slices.length;
    const type = this.#recorder?.mimeType ?? "";
    try {
      const file = new File(slices, "recording", { type });
      const said = await this.#options.speech.dictate(file, this.language || this.#detected, this.#after, this.#abort.signal);
      if (slices !== this.#slices) return;
      if (said.language !== null) this.#detected = said.language;
      const last = said.segments.at(-1);
      this.#text = join([this.#settled, ...said.segments.map(({ text }) => text)]);
      if (last !== undefined && said.segments.length > 1 && last.start - this.#after > SETTLED_S) {
        this.#settled = join([this.#settled, ...said.segments.slice(0, -1).map(({ text }) => text)]);
        this.#after = last.start;
      }
      this.#options.write(this.#text);
    } catch (error) {
      if (slices !== this.#slices || this.#abort.signal.aborted) return;
      this.problem = { report: toReport(error) };
      this.#close();
    }
  }

  #reset(): void {
    this.problem = null;
    this.#abort = new AbortController();
    this.#slices = [];
    this.#sent = 0;
    this.#settled = this.#text = this.#detected = "";
    this.#after = 0;
  }

  /** Let go of the microphone. */
  #release(): void {
    clearInterval(this.#timer);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    void this.#audio?.close();
    this.#stream = null;
    this.#audio = null;
    this.level = 0;
  }

  #close(): void {
    if (this.phase === "idle") return;
    this.phase = "idle";
    if (this.#recorder?.state === "recording") this.#recorder.stop();
    this.#recorder = null;
    this.#release();
    this.#abort.abort();
    this.#slices = [];
    this.#options.onend();
  }
}

function join(texts: readonly string[]): string {
  return texts.filter((text) => text !== "").join(" ");
}
