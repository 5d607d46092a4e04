// Places the marks of sources and doubts in an answer's text. A mark is put after its sentence before the text is
// rendered: a character that is no letter and no space, so that emphasis around it is unaffected and citationMark.ts
// can make a button of it. The server counts characters, and a place where Markdown has more than text gets no mark.

import { utf16Offset } from "../documents.ts";
import type { Message } from "../../api/events.ts";

/** Encloses a mark: `key.number`. In the text itself it has no meaning and is removed. */
export const MARK_SIGN = "\ufffc";

/** A bare address of this length would swallow the mark after it, so they are separated. */
const MAX_LINK_CHARS = 300;

/** The mark of a sentence: `c0` is the message's first citation, `d0` its first doubt and `f0` its first computed figure, both without a number. */
export interface Mark {
  readonly key: string;
  readonly number: number | null;
}

interface PlacedMark extends Mark {
  /** The range that it replaces, in UTF-16 units: empty, or the number that the model wrote itself. */
  readonly from: number;
  readonly to: number;
}

/** The text of part `index` with its marks, in the form that the renderer reads. */
export function withMarks(text: string, message: Message, index: number): string {
  return insertMarks(text, message, index, ({ key, number }) => `${MARK_SIGN}${key}.${number ?? ""}${MARK_SIGN}`);
}

/** The text of part `index` with `put` of each mark inserted. */
export function insertMarks(text: string, message: Message, index: number, put: (mark: Mark) => string): string {
  const marks = placeMarks(text, message, index);
  if (marks.length === 0) return text.replaceAll(MARK_SIGN, "");
  let result = "";
  let at = 0;
  for (const mark of marks) {
    result += text.slice(at, Math.max(at, mark.from)).replaceAll(MARK_SIGN, "");
    if (/(?<!\]\()(?:https?:\/\/|www\.)[^\s\ufffc<>]*$/.test(result.slice(-MAX_LINK_CHARS))) result += " ";
    result += put(mark);
    at = Math.max(at, mark.to);
  }
  return result + text.slice(at).replaceAll(MARK_SIGN, "");
}

/** The marks of a part, in order. */
function placeMarks(text: string, { citations, doubts, computed_figures: figures }: Message, index: number): PlacedMark[] {
  const sentences = [
    ...citations.map((citation, i) => ({ ...citation, key: `c${i}`, number: citation.passage })),
    ...doubts.map((doubt, i) => ({ ...doubt, key: `d${i}`, number: null })),
    ...figures.map((figure, i) => ({ ...figure, key: `f${i}`, number: null })),
  ];
  const marks = sentences
    .filter((sentence) => sentence.index === index)
    .flatMap(({ key, number, start, end }) => {
      const position = markPosition(text, utf16Offset(text, start), utf16Offset(text, end), number);
      return position === null ? [] : [{ key, number, ...position }];
    });
  return marks.toSorted((a, b) => a.from - b.from || (a.number ?? Infinity) - (b.number ?? Infinity));
}

/** What may follow a sentence's full stop and still belong to it. */
const SENTENCE_TAIL = /^[\s.!?…"'”’“»›)*_~\][\d^]*$/;

/** The position for the mark of a sentence; null where there is none. */
function markPosition(text: string, start: number, end: number, number: number | null): { from: number; to: number } | null {
  if (number !== null) {
    const written = new RegExp(`[ \\u00a0\\u202f]?\\[\\^?${number}\\](?![(\\[:])`, "g");
    const nearby = text.slice(start, end + 8);
    for (const found of nearby.matchAll(written)) {
      const after = start + found.index + found[0].length;
      const follows = start + found.index >= end ? start + found.index === end : SENTENCE_TAIL.test(text.slice(after, end));
      if (follows) return { from: start + found.index, to: after };
    }
  }
  let at = Math.min(end, text.length);
  while (at > start && /\s/.test(text.charAt(at - 1))) at -= 1;
  const begin = text.lastIndexOf("\n", at - 1) + 1;
  const line = text.slice(begin, at);
  if (/^[ \t>]*(?:`{3}|~{3})/.test(line) || /^[ \t>]*(?:\$\$|\\\]|[-=*_ \t]*)$/.test(line)) return null;
  const closing = /^ {0,3}#{1,6}[ \t].*?([ \t]+#+)$/.exec(line)?.[1] ?? /^[ \t>]*\|.*?([ \t]*\|)$/.exec(line)?.[1] ?? /[^\\](\\)$/.exec(line)?.[1] ?? "";
  return { from: at - closing.length, to: at - closing.length };
}
