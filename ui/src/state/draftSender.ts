// Sends the draft as it is written to a server that reads ahead what fits it; nothing is kept there.

/** After a pause this long, the person may be about to send. */
const PAUSE_MS = 400;
/** While somebody writes on, what is new waits for no longer. */
const INTERVAL_MS = 2000;

interface Options {
  /** The draft, where the server may read ahead for it now; otherwise the empty text. */
  readonly draft: () => string;
  /** Send it; true where the next one is worth sending too. */
  readonly send: (draft: string) => Promise<boolean>;
}

export class DraftSender {
  readonly #options: Options;
  #follows = false;
  #sent = "";
  #changed: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** A message is begun or gets a file: say so, and learn whether the draft is to follow. */
  async begin(): Promise<void> {
    this.#sent = "";
    this.#follows = await this.#options.send("");
    if (this.#options.draft() !== "") this.changed();
  }

  /** The draft has changed. */
  changed(): void {
    if (!this.#follows) return;
    const now = Date.now();
    this.#changed ??= now;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#send(), Math.max(0, Math.min(PAUSE_MS, this.#changed + INTERVAL_MS - now)));
  }

  async #send(): Promise<void> {
    this.#changed = null;
    const draft = this.#options.draft().trim();
    if (draft === "" || draft === this.#sent) return;
    this.#sent = draft;
    this.#follows = await this.#options.send(draft);
  }
}
