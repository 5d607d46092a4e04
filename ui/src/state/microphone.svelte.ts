// The microphone: its sound in slices as it comes, and how loud it is.

import { DictatedRecording } from "./dictatedRecording.ts";

const BITS_PER_SECOND = 32_000;
const FORMATS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
/** Levels below this are silence, whatever the room. */
const QUIET_LEVEL = 0.01;

/** Ticks of which the loudest is a noise that goes on, and how long it counts as the sound of the room. */
const NOISE_TICKS = 8;
const ROOM_MS = 60_000;
/** A microphone that is muted for longer, by a call or a switch, is lost. */
const MUTED_MS = 3000;

/** Errors of browsers: the person or a policy refuses it, or the system or another program has it. */
const REFUSED = new Set(["NotAllowedError", "SecurityError"]);
const TAKEN = new Set(["NotReadableError", "AbortError"]);

/** Why there is no microphone. */
export type MicrophoneProblem = "none" | "refused" | "insecure" | "lost";

interface MicrophoneOptions {
  /** The milliseconds of sound in a slice. */
  readonly sliceMs: number;
  /** Called when the recording has grown. */
  onslice(): void;
  /** Called many times a second, with whether it is louder than the room. */
  ontick(isLoud: boolean): void;
  /** Called when the microphone was unplugged, muted or given to another program. */
  onlost(): void;
  /** Called when another use of it begins: there is one at a time. */
  ontaken(): void;
}

export class Microphone {
  /** The one that is open, or is being opened. */
  static #used: Microphone | null = null;
  /** The loudness now, from 0 to 1. */
  level = $state(0);
  /** The recording so far. */
  recording = new DictatedRecording();
  readonly #options: MicrophoneOptions;
  #stream: MediaStream | null = null;
  #recorder: MediaRecorder | null = null;
  #audio: AudioContext | null = null;
  #ticks: Worker | null = null;
  #muted: ReturnType<typeof setTimeout> | undefined;
  /** The loudness of the last ticks. */
  #loudness: number[] = [];
  /** The loudness of the room, and what it is at least for a while. */
  #floor = QUIET_LEVEL;
  #room = { level: QUIET_LEVEL, until: 0 };
  #began = 0;

  constructor(options: MicrophoneOptions) {
    this.#options = options;
  }

  /** Open it, unless it isn't `wanted` any more once the person has allowed it. Return why it can't be. */
  async open(wanted: () => boolean): Promise<MicrophoneProblem | null> {
    // Without a secure address, browsers have no media devices at all.
    if (!isSecureContext) return "insecure";
    const before = Microphone.#used;
    Microphone.#used = this;
    if (before !== null && before !== this) before.#options.ontaken();
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true } });
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      return REFUSED.has(name) ? "refused" : TAKEN.has(name) ? "lost" : "none";
    }
    if (!wanted()) {
      for (const track of stream.getTracks()) track.stop();
      return null;
    }
    this.#stream = stream;
    this.#watchLoss(stream);
    this.#measure(stream);
    return null;
  }

  /** Take what was heard last for the sound of the room. */
  adapt(): void {
    this.#room = { level: Math.max(QUIET_LEVEL, ...this.#loudness), until: performance.now() + ROOM_MS };
  }

  /** Begin a recording; one that is being made is thrown away. */
  record(): void {
    this.#drop();
    if (this.#stream === null) return;
    const recording = new DictatedRecording();
    const mimeType = FORMATS.find((format) => MediaRecorder.isTypeSupported(format)) ?? "";
    const recorder = new MediaRecorder(this.#stream, { mimeType, audioBitsPerSecond: BITS_PER_SECOND });
    recorder.ondataavailable = ({ data }) => {
      if (data.size > 0) recording.append(data, this.seconds);
      if (recorder === this.#recorder && recorder.state === "recording") this.#options.onslice();
    };
    recorder.onerror = () => {
      if (recorder === this.#recorder) this.#options.onlost();
    };
    recorder.onstart = () => (this.#began = performance.now());
    recorder.start(this.#options.sliceMs);
    this.#recorder = recorder;
    this.recording = recording;
    this.#began = Number.POSITIVE_INFINITY;
  }

  /** Seconds of the recording. */
  get seconds(): number {
    return Math.max(0, performance.now() - this.#began) / 1000;
  }

  /** Have the sound up to now become a slice at once. */
  flush(): void {
    if (this.#recorder?.state === "recording") this.#recorder.requestData();
  }

  /** End the recording, which stays readable, and let go of the microphone. */
  async finish(): Promise<void> {
    const recorder = this.#recorder;
    if (recorder?.state === "recording") {
      const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
      recorder.stop();
      this.#release();
      await stopped;
    } else this.#release();
  }

  /** Let go of the microphone, and forget the recording. */
  close(): void {
    this.#drop();
    this.#release();
  }

  #measure(stream: MediaStream): void {
    const audio = new AudioContext();
    this.#audio = audio;
    // A browser suspends it while a call or another program has the sound.
    const wake = () => {
      if (audio.state !== "closed" && audio.state !== "running") audio.resume().catch(() => null); // it waits for a click
    };
    audio.onstatechange = wake;
    wake();
    const analyser = audio.createAnalyser();
    audio.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#floor = QUIET_LEVEL;
    this.#room = { level: QUIET_LEVEL, until: 0 };
    this.#ticks = new Worker(new URL("./ticks.worker.ts", import.meta.url), { type: "module" });
    this.#ticks.onerror = () => this.#options.onlost();
    this.#ticks.onmessage = () => {
      if (this.#stream !== stream) return;
      analyser.getFloatTimeDomainData(samples);
      const loudness = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
      this.#loudness = [...this.#loudness, loudness].slice(-NOISE_TICKS);
      const least = performance.now() < this.#room.until ? this.#room.level : QUIET_LEVEL;
      this.#floor = Math.max(least, Math.min(loudness * 1.5, this.#floor * 1.005));
      this.level = Math.min(1, loudness * 6);
      this.#options.ontick(loudness > this.#floor * 1.5);
    };
  }

  #watchLoss(stream: MediaStream): void {
    for (const track of stream.getAudioTracks()) {
      track.onended = () => this.#options.onlost();
      track.onmute = () => (this.#muted = setTimeout(() => this.#options.onlost(), MUTED_MS));
      track.onunmute = () => clearTimeout(this.#muted);
    }
  }

  #drop(): void {
    const recorder = this.#recorder;
    this.#recorder = null;
    this.recording = new DictatedRecording();
    if (recorder?.state === "recording") recorder.stop();
  }

  #release(): void {
    if (Microphone.#used === this) Microphone.#used = null;
    this.#ticks?.terminate();
    clearTimeout(this.#muted);
    for (const track of this.#stream?.getTracks() ?? []) {
      track.onended = track.onmute = track.onunmute = null;
      track.stop();
    }
    void this.#audio?.close();
    this.#stream = this.#audio = this.#ticks = null;
    this.level = 0;
  }
}
