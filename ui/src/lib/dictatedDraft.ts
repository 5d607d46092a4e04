// Keeps dictated words in their place in a text that the person may be editing.

export class DictatedDraft {
  #before: string;
  #behind: string;
  /** The words as they stand in the text. */
  #shown = "";
  /** All words that were recognized. */
  #words = "";
  /** How many of them, at the beginning, the person has changed; they aren't written again. */
  #kept = 0;

  /** The words will stand at a place of the text. */
  constructor(draft: string, at = draft.length) {
    this.#before = draft.slice(0, at);
    this.#behind = draft.slice(at);
  }

  /** The place behind the words. */
  get end(): number {
    return this.#before.length + this.#shown.length;
  }

  /** The text with the words so far, in place of the `draft` that the person sees; without words, what they typed. */
  write(draft: string, words: string): string {
    this.#follow(draft);
    const written = words.split(" ").slice(this.#kept).join(" ");
    const space = written !== "" && this.#before !== "" && !/\s$/.test(this.#before) ? " " : "";
    this.#shown = space + written;
    this.#words = words;
    return this.#before + this.#shown + this.#behind;
  }

  /** Keep what the person has typed since the words were written. */
  #follow(draft: string): void {
    if (draft === this.#before + this.#shown + this.#behind) return;
    const at = this.#find(draft);
    if (at >= 0) {
      this.#before = draft.slice(0, at);
      this.#behind = draft.slice(at + this.#shown.length);
    } else {
      this.#kept = this.#words === "" ? 0 : this.#words.split(" ").length;
      this.#before = draft;
      this.#behind = "";
      this.#shown = "";
    }
  }

  /** The place of the words in a text that was edited in front of them or behind them; -1 where they have changed. */
  #find(draft: string): number {
    if (this.#shown === "") return -1;
    if (draft.startsWith(this.#before + this.#shown)) return this.#before.length;
    if (draft.endsWith(this.#shown + this.#behind)) return draft.length - this.#behind.length - this.#shown.length;
    return draft.lastIndexOf(this.#shown);
  }
}
