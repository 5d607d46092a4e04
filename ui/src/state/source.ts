// Sources that can be shown next to the conversation: a passage, a quote in it, or a file.

import type { Citation, Doubt, Message, Passage } from "../api/events.ts";

export interface Source {
  readonly file: string;
  readonly name: string;
  readonly page: number;
  /** The passage, which is known even when its file was deleted; null for a file as a whole. */
  readonly passage: Passage | null;
  /** The marked characters `start` to `end` of the document. */
  readonly marked: { readonly start: number; readonly end: number; readonly quote: string } | null;
  /** The part of a sentence that no source supports; null where the source isn't that of a doubt. */
  readonly doubt: string | null;
  /** How the program computed the figure from the quote; null where the quote states it. */
  readonly computation: string | null;
}

export function citationSource({ passages }: Message, { passage: number, quote, quote_start, quote_end, computation }: Citation): Source | null {
  const passage = passages.find((one) => one.number === number);
  if (passage === undefined) return null;
  const page = passage.breaks?.findLast(({ start }) => start <= quote_start)?.page ?? passage.page;
  return { ...passageSource(passage), page, marked: { start: quote_start, end: quote_end, quote }, computation: computation ?? null };
}

/** The passage nearest to an unsupported sentence; null where none is near. */
export function doubtSource({ passages }: Message, { passage: number, about }: Doubt): Source | null {
  const passage = passages.find((one) => one.number === number);
  return passage === undefined ? null : { ...passageSource(passage), doubt: about };
}

export function passageSource(passage: Passage): Source {
  const { file, name, page, start, end } = passage;
  return { file, name, page, passage, marked: { start, end, quote: "" }, doubt: null, computation: null };
}

export function fileSource({ id, name }: { readonly id: string; readonly name: string }): Source {
  return { file: id, name, page: 1, passage: null, marked: null, doubt: null, computation: null };
}
