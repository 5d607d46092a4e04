// Splits a page's text for display: its blocks, rows gathered into tables, and the marked part.

import type { DocumentPage, PageBlock } from "../../api/files.ts";

/** A piece of text; `hit` where it is marked. */
export interface Piece {
  readonly text: string;
  readonly hit: boolean;
}

export type DisplayBlock =
  | { readonly kind: "heading"; readonly level: number; readonly pieces: readonly Piece[] }
  | { readonly kind: "paragraph" | "code" | "furniture"; readonly pieces: readonly Piece[] }
  | { readonly kind: "list"; readonly items: readonly { readonly depth: number; readonly pieces: readonly Piece[] }[] }
  | { readonly kind: "table"; readonly head: readonly string[]; readonly rows: readonly TableRow[] };

/** `ref` is the position of the row in its sheet, such as `A2:F2`. */
export interface TableRow {
  readonly ref: string | null;
  readonly cells: readonly (readonly Piece[])[];
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** The blocks of a page; `marked` is an offset in the whole document. */
export function textSegments(page: DocumentPage, marked: Span | null): DisplayBlock[] {
  const text = Array.from(page.text);
  const hit = marked === null ? { start: 0, end: 0 } : { start: marked.start - page.start, end: marked.end - page.start };
  const toPieces = (span: Span) => splitAround(text, span, hit);
  const blocks = page.blocks.length > 0 ? page.blocks : [{ kind: "paragraph", start: 0, end: text.length, level: 0, ref: null } as const];
  const blocksShown: DisplayBlock[] = [];
  for (let i = 0; i < blocks.length; i++) {
    const block = blocks[i] as PageBlock;
    if (block.kind === "row") {
      let last = i;
      while (blocks[last + 1]?.kind === "row") last += 1;
      blocksShown.push(tableOf(text, blocks.slice(i, last + 1), toPieces));
      i = last;
    } else blocksShown.push(displayBlock(text, block, toPieces));
  }
  return blocksShown;
}

function displayBlock(text: readonly string[], block: PageBlock, toPieces: (span: Span) => Piece[]): DisplayBlock {
  switch (block.kind) {
    case "heading":
      return { kind: "heading", level: block.level, pieces: toPieces(block) };
    case "list":
      return { kind: "list", items: lines(text, block).map((line) => item(text, line, toPieces)) };
    case "table":
      return { kind: "table", head: [], rows: lines(text, block).map((line) => ({ ref: null, cells: splitAt(text, line, " | ").map(toPieces) })) };
    case "row":
    case "speech":
    case "paragraph":
      return { kind: "paragraph", pieces: toPieces(block) };
    default:
      return { kind: block.kind, pieces: toPieces(block) };
  }
}

/** Rows as a table; each row reads `column: cell; column: cell`. */
function tableOf(text: readonly string[], rows: readonly PageBlock[], toPieces: (span: Span) => Piece[]): DisplayBlock {
  const head: string[] = [];
  const read = rows.map((row) => {
    const cells = new Map<string, Piece[]>();
    for (const { name, cell } of namedCells(text, row)) {
      if (!head.includes(name)) head.push(name);
      cells.set(name, toPieces(cell));
    }
    return { ref: row.ref, cells };
  });
  return { kind: "table", head, rows: read.map(({ ref, cells }) => ({ ref, cells: head.map((name) => cells.get(name) ?? []) })) };
}

/** The cells of a row with their columns' names. A part without a name continues the cell before it. */
function namedCells(text: readonly string[], row: Span): { name: string; cell: Span }[] {
  const found: { name: string; cell: Span }[] = [];
  for (const part of splitAt(text, row, "; ")) {
    const content = text.slice(part.start, part.end).join("");
    const colon = content.indexOf(": ");
    const last = found.at(-1);
    if (colon > 0) {
      const name = content.slice(0, colon);
      found.push({ name, cell: { start: part.start + Array.from(name).length + 2, end: part.end } });
    } else if (last !== undefined) last.cell = { start: last.cell.start, end: part.end };
    else found.push({ name: "", cell: part });
  }
  return found;
}

function item(text: readonly string[], line: Span, toPieces: (span: Span) => Piece[]): { depth: number; pieces: Piece[] } {
  const content = text.slice(line.start, line.end).join("");
  const [lead = "", indent = ""] = /^([ \t]*)(?:[-*+•◦▪‣–][ \t]+)?/.exec(content) ?? [];
  return { depth: Math.floor(indent.length / 2), pieces: toPieces({ start: line.start + lead.length, end: line.end }) };
}

function lines(text: readonly string[], span: Span): Span[] {
  return splitAt(text, span, "\n").filter(({ start, end }) => text.slice(start, end).some((c) => c.trim() !== ""));
}

/** Split a span at every `mark`. */
function splitAt(text: readonly string[], { start, end }: Span, mark: string): Span[] {
  const spans: Span[] = [];
  let from = start;
  for (let at = start; at + mark.length <= end; at++) {
    if (!Array.from(mark).every((c, i) => text[at + i] === c)) continue;
    spans.push({ start: from, end: at });
    from = at + mark.length;
    at = from - 1;
  }
  spans.push({ start: from, end });
  return spans;
}

/** Split a span into the parts before, in and after the marked one. */
function splitAround(text: readonly string[], { start, end }: Span, hit: Span): Piece[] {
  const from = Math.min(Math.max(hit.start, start), end);
  const to = Math.max(Math.min(hit.end, end), from);
  const pieces = [
    { text: text.slice(start, from).join(""), hit: false },
    { text: text.slice(from, to).join(""), hit: true },
    { text: text.slice(to, end).join(""), hit: false },
  ];
  return pieces.filter((piece) => piece.text !== "");
}
