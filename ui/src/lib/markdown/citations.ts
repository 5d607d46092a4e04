// Places the marks of sources and doubts in an answer's text. A mark is put after its sentence before the text is
// rendered: a character that is no letter and no space, so that emphasis around it is unaffected and citationMark.ts
// can make a button of it. The server counts characters, and a place where Markdown has more than text gets no mark.

import { utf16Offset } from "../documents.ts";
import type { Message } from "../../api/events.ts";

/** Encloses a mark: `key.number`. In the text itself it has no meaning and is removed. */
export const SIGN = "\ufffc";

/** A bare address of this length would swallow the mark after it, so they are separated. */
const LINK = 300;

/** The mark of a sentence: `c0` is the first citation of the message, `d0` the first doubt, which has no number. */
export interface Mark {
  readonly key: string;
  readonly number: number | null;
}

interface Place extends Mark {
  /** The range that it replaces, in UTF-16 units: empty, or the number that the model wrote itself. */
  readonly from: number;
  readonly to: number;
}

/** What separates marks, and a mark from its sentence, in the rendered page. */
export function withMarks(text: string, message: Message, index: number): string {
  return insertMarks(text, message, index, ({ key, number }) => `${SIGN}${key}.${number ?? ""}${SIGN}`);
}

/** The text of part `index` with `put` of each mark inserted. */
export function insertMarks(text: string, message: Message, index: number, put: (mark: Mark) => string): string {
  const places = placesIn(text, message, index);
  if (places.length === 0) return text.replaceAll(SIGN, "");
  let said = "";
  let at = 0;
  for (const place of places) {
    said += text.slice(at, Math.max(at, place.from)).replaceAll(SIGN, "");
    if (/(?<!\]\()(?:https?:\/\/|www\.)[^\s\ufffc<>]*$/.test(said.slice(-LINK))) said += " ";
    said += put(place);
    at = Math.max(at, place.to);
  }
  return said + text.slice(at).replaceAll(SIGN, "");
}

/** The marks of a part, in order. */
function placesIn(text: string, { citations, doubts }: Message, index: number): Place[] {
  const marks = [
    ...citations.map((one, i) => ({ ...one, key: `c${i}`, number: one.passage })),
    ...doubts.map((one, i) => ({ ...one, key: `d${i}`, number: null })),
  ];
  const places = marks
    .filter((mark) => mark.index === index)
    .flatMap(({ key, number, start, end }) => {
      const place = placeOf(text, utf16Offset(text, start), utf16Offset(text, end), number);
      return place === null ? [] : [{ key, number, ...place }];
    });
  return places.toSorted((a, b) => a.from - b.from || (a.number ?? Infinity) - (b.number ?? Infinity));
}

/** What may follow a sentence's full stop and still belong to it. */
const TAIL = /^[\s.!?…"'”’“»›)*_~\][\d^]*$/;

/** The position for the mark of a sentence; null where there is none. */
function placeOf(text: string, start: number, end: number, number: number | null): { from: number; to: number } | null {
  if (number !== null) {
    const written = new RegExp(`[ \\u00a0\\u202f]?\\[\\^?${number}\\](?![(\\[:])`, "g");
    const near = text.slice(start, end + 8);
    for (const found of near.matchAll(written)) {
      const after = start + found.index + found[0].length;
      const follows = start + found.index >= end ? start + found.index === end : TAIL.test(text.slice(after, end));
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
