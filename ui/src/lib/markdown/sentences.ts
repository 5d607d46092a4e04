// Cuts a growing text into complete sentences, for screen readers.

const SEGMENTS = new Intl.Segmenter(undefined, { granularity: "sentence" });
const ENDS = /[.!?…:;。！？]["'”’)\]*_`]*\s*$|\n\s*$/;

export class Sentences {
  #position = 0;

  /** The sentences completed since the last call; with `done`, the rest as well. */
  next(text: string, done: boolean): string {
    if (text.length < this.#position) this.#position = 0;
    const rest = text.slice(this.#position);
    let length = 0;
    for (const { segment, index } of SEGMENTS.segment(rest)) {
      const closed = index + segment.length < rest.length || done;
      if (!closed) break;
      if (done || ENDS.test(segment)) length = index + segment.length;
    }
    this.#position += length;
    return speakable(rest.slice(0, length));
  }

  /** Skip what is already there. */
  skip(text: string): void {
    this.#position = text.length;
  }
}

/** Markdown without its markup. */
function speakable(text: string): string {
  return text
    .replace(/```\w*/g, " ")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^\s*(?:#{1,6}|[-*+>]|\|)\s+/gm, "")
    .replace(/[*_`~|]+/g, "")
    .replace(/\s+/g, " ")
    .trim();
}
