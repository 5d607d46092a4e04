// Numbers the sources of an answer for people: 1, 2, 3 in the order in which they are cited. Stored messages keep the
// numbers that passages have within their conversation. Exports number by the same rules
// (src/eclair/transfer/source_numbers.py).

import type { Citation, Doubt, Message } from "../api/events.ts";
import { characterCount } from "./documents.ts";

type NewNumbers = ReadonlyMap<number, number>;

interface NumberedText {
  readonly text: string;
  /** The characters of the old text at which numbers were replaced, and by how much what follows each has moved. */
  readonly moves: readonly (readonly [start: number, move: number])[];
}

/** A message whose passages have new numbers, in its text too: cited ones by their first citation, then the rest. */
export function numberSources(message: Message): Message {
  if (message.passages.length === 0) return message;
  const numbers = newNumbers(message);
  if ([...numbers].every(([old, shown]) => old === shown)) return message;
  const texts = message.parts.map(({ kind, text }) => (kind === "text" ? numbered(text, numbers) : { text, moves: [] }));
  return {
    ...message,
    parts: message.parts.map((part, i) => ({ ...part, text: texts[i]?.text ?? part.text })),
    passages: message.passages.map((passage) => ({ ...passage, number: numbers.get(passage.number) ?? passage.number })).toSorted((a, b) => a.number - b.number),
    citations: message.citations.map((citation) => moved(citation, texts[citation.index], numbers)),
    doubts: message.doubts.map((doubt) => moved(doubt, texts[doubt.index], numbers)),
    computed_figures: message.computed_figures.map((figure) => moved({ ...figure, passage: null }, texts[figure.index], numbers)),
    agents: message.agents.map((agent) => ({ ...agent, notes: agent.notes.map((note) => ({ ...note, passages: note.passages.map((old) => numbers.get(old) ?? old) })) })),
    remarks: message.remarks.map((notice) => ({ ...notice, message: numbered(notice.message, numbers).text })),
  };
}

/** The numbers that people see, by those of the message's passages. */
function newNumbers({ passages, citations }: Message): NewNumbers {
  const known = new Set(passages.map(({ number }) => number));
  const cited = citations.toSorted((a, b) => a.index - b.index || a.end - b.end || a.passage - b.passage).map(({ passage }) => passage);
  const order = new Set([...cited.filter((number) => known.has(number)), ...[...known].toSorted((a, b) => a - b)]);
  return new Map([...order].map((number, i) => [number, i + 1]));
}

/** Put new numbers where the model wrote old ones. Code and footnotes of the text's own stay. */
function numbered(text: string, numbers: NewNumbers): NumberedText {
  const footnotes = new Set([...text.matchAll(/\[\^(\d{1,6})\]:/g)].map(([, number]) => number));
  const moves: [start: number, move: number][] = [];
  let [result, at, begin, characters, move, fenced] = ["", 0, 0, 0, 0, false];
  for (const line of text.split("\n")) {
    let code = false;
    const isFence = /^[ \t>]*(?:`{3}|~{3})/.test(line);
    if (isFence) fenced = !fenced;
    for (const found of isFence || fenced ? [] : line.matchAll(/`|\[(\^?)(\d{1,6})\](?![(:])/g)) {
      const [old, caret = "", number] = found;
      const shown = numbers.get(Number(number));
      if (old === "`") code = !code;
      if (code || shown === undefined || (caret !== "" && footnotes.has(number ?? ""))) continue;
      const start = begin + found.index;
      const written = `[${caret}${shown}]`;
      characters += characterCount(text.slice(at, start));
      move += written.length - old.length;
      moves.push([characters, move]);
      result += text.slice(at, start) + written;
      at = start + old.length;
      characters += old.length;
    }
    begin += line.length + 1;
  }
  return { text: result + text.slice(at), moves };
}

/** A mark at its place in the new text, with the new number of its passage. */
function moved<Mark extends Pick<Citation | Doubt, "start" | "end" | "passage">>(mark: Mark, text: NumberedText | undefined, numbers: NewNumbers): Mark {
  const move = (place: number) => place + (text?.moves.findLast(([start]) => start < place)?.[1] ?? 0);
  return { ...mark, start: move(mark.start), end: move(mark.end), passage: numbers.get(mark.passage ?? 0) ?? mark.passage };
}
