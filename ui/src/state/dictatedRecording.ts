// A recording that is being made: its slices, of which those that were heard needn't be sent again.

/** Containers group sound, and only whole groups can be read. Where a browser's last longer than this, its recordings
 * can't be cut. */
const MARGIN_S = 3;
/** Less isn't worth leaving out. */
const MIN_OMITTED_S = 5;

export class DictatedRecording {
  readonly #slices: { readonly sound: Blob; readonly until: number }[] = [];

  /** Append the sound up to a moment, in seconds of the recording. */
  append(sound: Blob, until: number): void {
    this.#slices.push({ sound, until });
  }

  /** Slices so far. */
  get length(): number {
    return this.#slices.length;
  }

  /** All of it so far. */
  get whole(): File {
    return this.#join(0);
  }

  /** The moment up to which at least it is heard unless some of it is lost, in seconds. */
  get leastHeard(): number {
    return (this.#slices.at(-1)?.until ?? 0) - MARGIN_S;
  }

  /** Its first slice, which says how to read it, and the sound from a moment on, in seconds; null if that is hardly less
   * than all. */
  from(seconds: number): File | null {
    const moment = seconds - MARGIN_S;
    const first = this.#slices.findIndex(({ until }) => until > moment);
    return moment < MIN_OMITTED_S || first <= 1 ? null : this.#join(first);
  }

  #join(from: number): File {
    const sounds = this.#slices.filter((_, number) => number === 0 || number >= from).map(({ sound }) => sound);
    return new File(sounds, "recording", { type: sounds[0]?.type ?? "" });
  }
}
