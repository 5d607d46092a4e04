// Parses text/event-stream: chunks of any size in, complete frames out.

export interface Frame {
  readonly event: string;
  readonly data: string;
  readonly id: string | null;
}

export class Parser {
  #decoder = new TextDecoder();
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id: string | null = null;

  /** The frames that these bytes complete. Anything incomplete waits for the next call. */
  feed(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    let start = 0;
    for (;;) {
      const end = lineEnd(text, start);
      if (end === null) break;
      const frame = this.#line(text.slice(start, end.at));
      if (frame !== null) frames.push(frame);
      start = end.next;
    }
    this.#rest = text.slice(start);
    return frames;
  }

  #line(line: string): Frame | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const raw = colon === -1 ? "" : line.slice(colon + 1);
    const value = raw.startsWith(" ") ? raw.slice(1) : raw;
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id") this.#id = value;
    return null;
  }

  #dispatch(): Frame | null {
    const frame =
      this.#data.length > 0 || this.#event !== ""
        ? { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id }
        : null;
    this.#event = "";
    this.#data = [];
    this.#id = null;
    return frame;
  }
}

/** Where the line ends and the next begins; null while that is unknown (a last CR may be half a CRLF). */
function lineEnd(text: string, start: number): { at: number; next: number } | null {
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10) return { at: i, next: i + 1 };
    if (code !== 13) continue;
    if (i + 1 === text.length) return null;
    return { at: i, next: text.charCodeAt(i + 1) === 10 ? i + 2 : i + 1 };
  }
  return null;
}
