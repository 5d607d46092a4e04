// Keeps a row of tools on one line: where it would wrap, words of its buttons are left out, from the end of the row.

/** For `{@attach}` on the row: leave out as many words as it takes, of tools that are on only after the others. Done again
 * when the row's width or what is in it changes. */
export function fitWords(row: HTMLElement): () => void {
  const fit = () => {
    const words = [...row.querySelectorAll<HTMLElement>(".word")].reverse();
    const isOn = (word: HTMLElement) => word.closest(".active") !== null;
    for (const word of words) word.hidden = false;
    for (const word of [...words.filter((each) => !isOn(each)), ...words.filter(isOn)]) {
      if (!wraps(row)) return;
      word.hidden = true;
    }
  };
  const sizes = new ResizeObserver(() => requestAnimationFrame(fit)); // not at once: it changes the size that is observed
  sizes.observe(row);
  const contents = new MutationObserver(fit);
  contents.observe(row, { subtree: true, childList: true, characterData: true, attributeFilter: ["class"] });
  return () => {
    sizes.disconnect();
    contents.disconnect();
  };
}

function wraps(row: HTMLElement): boolean {
  const first = row.querySelector<HTMLElement>(":scope > span");
  const last = row.querySelector<HTMLElement>(":scope > span:last-of-type");
  return first !== null && last !== null && last.offsetTop >= first.offsetTop + first.offsetHeight;
}
