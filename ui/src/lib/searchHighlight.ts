// Highlights matches in a message without touching its markup, where the browser can (CSS Custom Highlight API).

const NAME = "found";

/** The words that an excerpt encloses in U+E000 and U+E001. */
export function matchedWords(excerpt: string): string[] {
  return [...new Set([...excerpt.matchAll(/\uE000([^\uE001]*)\uE001/g)].map(([, word]) => (word ?? "").toLocaleLowerCase()))];
}

export function highlightMatches(element: Element, found: readonly string[]): void {
  if (typeof Highlight === "undefined") return;
  const ranges: Range[] = [];
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
    const text = (node.nodeValue ?? "").toLocaleLowerCase();
    for (const word of found) {
      for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + word.length)) {
        const range = new Range();
        range.setStart(node, at);
        range.setEnd(node, Math.min(at + word.length, node.nodeValue?.length ?? 0));
        ranges.push(range);
      }
    }
  }
  if (ranges.length === 0) CSS.highlights.delete(NAME);
  else CSS.highlights.set(NAME, new Highlight(...ranges));
}

export function clearHighlight(): void {
  if (typeof Highlight !== "undefined") CSS.highlights.delete(NAME);
}
