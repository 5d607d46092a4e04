// Highlights the sentence that is being read aloud, without touching the markup, where the browser can (CSS Custom
// Highlight API). The spoken text and the text on the page agree in their letters, not in their markup.

const NAME = "spoken";
/** Letters of 16 bits; others are passed over on both sides. */
const LETTER = /[\p{L}\p{N}]/u;
/** Elements that are shown but not spoken: source marks, code and formulas. */
const UNSAID = ".source, pre, .math, .table-tools";

export class SentenceHighlight {
  /** Letters of the page before the place where the last sentence was found. */
  #after = 0;

  /** Highlight the first place of a sentence after the last one. */
  show(article: Element, sentence: string): void {
    if (typeof Highlight === "undefined") return;
    const wanted = lettersOf(sentence);
    const { letters, places } = readLetters(article);
    const found = wanted === "" ? -1 : letters.indexOf(wanted, this.#after);
    const first = places[found];
    const last = places[found + wanted.length - 1];
    if (first === undefined || last === undefined) return this.clear();
    this.#after = found + wanted.length;
    const range = new Range();
    range.setStart(first.node, first.offset);
    range.setEnd(last.node, last.offset + 1);
    CSS.highlights.set(NAME, new Highlight(range));
  }

  clear(): void {
    if (typeof Highlight !== "undefined") CSS.highlights.delete(NAME);
  }
}

/** The letters of what is said on the page, each with its place. */
function readLetters(article: Element): { letters: string; places: { node: Node; offset: number }[] } {
  const places: { node: Node; offset: number }[] = [];
  let letters = "";
  for (const prose of article.querySelectorAll(".prose")) {
    const texts = document.createTreeWalker(prose, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
      if (node.parentElement?.closest(UNSAID) != null) continue;
      const text = node.nodeValue ?? "";
      for (let offset = 0; offset < text.length; offset++) {
        const letter = text.charAt(offset);
        if (!LETTER.test(letter)) continue;
        letters += letter;
        places.push({ node, offset });
      }
    }
  }
  return { letters, places };
}

function lettersOf(text: string): string {
  return text.split("").filter((letter) => LETTER.test(letter)).join("");
}
