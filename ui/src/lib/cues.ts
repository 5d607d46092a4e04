// Short tones for somebody who doesn't look at the screen.

export type Cue = "listening" | "heard" | "asking";

/** The two frequencies of each tone, in hertz: it rises when it is the person's turn, falls when that is over, and stays
 * level where something waits for a click. */
const HERTZ: Readonly<Record<Cue, readonly [number, number]>> = { listening: [523, 784], heard: [784, 523], asking: [659, 659] };
export const CUE_MS = 160;
const VOLUME = 0.06;

let audio: AudioContext | null = null;

/** Sound a tone, unless the browser plays nothing before a click. */
export function playCue(cue: Cue): void {
  audio ??= new AudioContext();
  const { currentTime: now } = audio;
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  const [first, second] = HERTZ[cue];
  const end = now + CUE_MS / 1000;
  tone.frequency.setValueAtTime(first, now);
  tone.frequency.setValueAtTime(second, now + CUE_MS / 2000);
  volume.gain.setValueAtTime(0, now);
  volume.gain.linearRampToValueAtTime(VOLUME, now + 0.02);
  volume.gain.setValueAtTime(VOLUME, end - 0.04);
  volume.gain.linearRampToValueAtTime(0, end);
  tone.connect(volume).connect(audio.destination);
  tone.start(now);
  tone.stop(end);
}
