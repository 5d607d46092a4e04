/** The place of the caret once a program has changed the text around it. It stays among the words where it was, and
 * follows those that were put in there. */
export function movedCaret(before: string, after: string, place: number): number {
  const grown = after.length - before.length;
  const begin = commonLength(before, after, (text, number) => text[number]);
  const behind = commonLength(before, after, (text, number) => text[text.length - 1 - number]);
  const end = before.length - behind;
  if (end <= begin && grown >= 0) return place < insertionPlace(after, end, begin, grown) ? place : place + grown;
  return place < end ? Math.min(place, after.length - behind) : place + grown;
}

/** The place where words were put into a text. Where they begin or end like the text around them, there are several:
 * then a space is in front of them. */
function insertionPlace(after: string, first: number, last: number, length: number): number {
  for (let place = last; place > first; place -= 1) {
    const inserted = after.slice(place, place + length);
    if (!/\s$/.test(inserted) && (/^\s/.test(inserted) || /\s/.test(after.charAt(place - 1)))) return place;
  }
  return first;
}

/** How many characters two texts share from an end on. */
function commonLength(one: string, other: string, at: (text: string, number: number) => string | undefined): number {
  const most = Math.min(one.length, other.length);
  let length = 0;
  while (length < most && at(one, length) === at(other, length)) length += 1;
  return length;
}
