// A microphone that hears what a test says.

import type { MicrophoneProblem } from "../src/state/microphone.svelte.ts";
import { DictatedRecording } from "../src/state/dictatedRecording.ts";

interface Options {
  onslice(): void;
  ontick(isLoud: boolean): void;
  onlost(): void;
  ontaken(): void;
}

export class Microphone {
  /** The one that was made last. */
  static last: Microphone;
  readonly options: Options;
  readonly level = 0;
  recording = new DictatedRecording();
  isOpen = false;
  seconds = 0;
  /** How many recordings were begun. */
  recordings = 0;

  constructor(options: Options) {
    this.options = options;
    Microphone.last = this;
  }

  async open(): Promise<MicrophoneProblem | null> {
    this.isOpen = true;
    return null;
  }

  record(): void {
    this.recordings += 1;
    this.recording = new DictatedRecording();
  }

  /** Hear more sound. */
  flush(): void {
    this.recording.append(new Blob(["sound"]), this.seconds);
    this.options.onslice();
  }

  async finish(): Promise<void> {
    this.recording.append(new Blob(["sound"]), this.seconds);
  }

  close(): void {
    this.isOpen = false;
  }

  adapt(): void {}
}
