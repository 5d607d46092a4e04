// Changes of a text by the positions of its characters, which servers count in code points.

export interface TextRange {
  readonly from: number;
  readonly to: number;
}

/** A selected range, and where it ends on the screen. */
export interface Selected extends TextRange {
  readonly top: number;
  readonly left: number;
}

interface Patch {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The text with all patches applied; their positions are those before any of them. */
export function applyPatches(text: string, patches: readonly Patch[]): string {
  const position = positions(text);
  let result = "";
  let at = 0;
  for (const { start, end, text: put } of patches.toSorted((one, other) => one.start - other.start)) {
    const from = position(start);
    if (from < at) continue;
    result += text.slice(at, from) + put;
    at = position(end);
  }
  return result + text.slice(at);
}

/** Converts counts of code points to positions in the string, which differ only where it has characters of two units. */
function positions(text: string): (count: number) => number {
  if (!/[\ud800-\udbff]/.test(text)) return (count) => count;
  const starts: number[] = [];
  for (let at = 0; at < text.length; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) starts.push(at);
  return (count) => starts[count] ?? text.length;
}

/** The smallest change that makes one text of another. */
export function difference(before: string, after: string): { from: number; to: number; insert: string } {
  const shorter = Math.min(before.length, after.length);
  let from = 0;
  while (from < shorter && before[from] === after[from]) from++;
  let end = 0;
  while (end < shorter - from && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  return { from, to: before.length - end, insert: after.slice(from, after.length - end) };
}
