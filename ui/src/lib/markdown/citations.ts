// Where the marks of sources and doubts stand in an answer's text. A mark is put behind its sentence before the text is
// rendered: a sign that is no letter and no space, so that emphasis around it means what it meant, and that `mark.ts`
// makes a button of. The server counts characters, and a place that Markdown reads as more than text takes no mark.

import { utf16Offset } from "../documents.ts";
import type { Message } from "../../api/events.ts";

/** Encloses a mark: `key.number`. In the text itself it says nothing and is left out. */
export const SIGN = "\ufffc";

/** A bare address of so many characters, which would swallow the mark behind it, is kept apart from that. */
const LINK = 300;

/** A sentence's mark: `c0` of the message's first citation, `d0` of its first doubt, which have no number. */
export interface Mark {
  readonly key: string;
  readonly number: number | null;
}

interface Place extends Mark {
  /** What is replaced by it, in UTF-16 units: nothing, or the same number as the model wrote it. */
  readonly from: number;
  readonly to: number;
}

/** What goes between the marks of a sentence and its text: as the page reads it. */
export function withMarks(text: string, message: Message, index: number): string {
  return insertMarks(text, message, index, ({ key, number }) => `${SIGN}${key}.${number ?? ""}${SIGN}`);
}

/** The text of part `index` with `put` of each mark in its place. */
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

/** The marks of a part in their order. */
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

/** What may still stand between a sentence's stop and its end. */
const TAIL = /^[\s.!?…"'”’“»›)*_~\][\d^]*$/;

/** Where the mark of a sentence goes; null where there is no place for it. */
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
