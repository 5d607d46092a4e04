/** The place of the caret once a program has changed the text around it: what stands behind it stays behind it. */
export function movedCaret(before: string, after: string, place: number): number {
  const behind = before.slice(place);
  return after.endsWith(behind) ? after.length - behind.length : Math.min(place, after.length);
}
