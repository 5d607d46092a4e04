// Formatting of Markdown in the editor: marks around words, and at the beginning of lines.

import { isolateHistory } from "@codemirror/commands";
import { ensureSyntaxTree, syntaxTree } from "@codemirror/language";
import { type ChangeSpec, EditorSelection, type EditorState, type SelectionRange, type StateCommand } from "@codemirror/state";
import type { KeyBinding } from "@codemirror/view";
import { type Format, FORMAT_KEYS, FORMATS } from "./formats.ts";
import type { TextRange } from "./patches.ts";

type SyntaxNode = ReturnType<ReturnType<typeof syntaxTree>["resolveInner"]>;
type Inline = "bold" | "italic" | "code";
type OfLine = "heading" | "bullets" | "numbers" | "quote";

const NODES: Readonly<Record<Inline, string>> = { bold: "StrongEmphasis", italic: "Emphasis", code: "InlineCode" };
const MARKS: Readonly<Record<Inline, string>> = { bold: "**", italic: "*", code: "`" };
/** How many marks stand around a cursor that has nothing else around it. */
const BARE_MARKS: Readonly<Record<Inline, readonly number[]>> = { bold: [2, 3], italic: [1, 3], code: [1] };
const LINE_START = /^((?:[ \t]{0,3}>[ \t]?)*)([ \t]*)([-*+][ \t]+|\d{1,9}[.)][ \t]+)?(#{1,6}[ \t]+)?/;
const MAX_HEADING = 3;
const PARSE_MS = 50;
/** Of a longer selection, the formats at its end are told. */
const MAX_TOLD_CHARS = 20_000;

/** The formats of the text at the cursor, or of all that is selected. */
export function formatsAt(state: EditorState): ReadonlySet<Format> {
  const { main } = state.selection;
  const told = main.to - main.from > MAX_TOLD_CHARS ? EditorSelection.cursor(main.head) : main;
  return new Set(FORMATS.filter((format) => has(state, told, format)));
}

/** Give the selected text a format, or take it away: one step to undo. */
export function toggleFormat(format: Format): StateCommand {
  return ({ state, dispatch }) => {
    if (state.readOnly) return false;
    ensureSyntaxTree(state, state.selection.main.to, PARSE_MS);
    const edit = state.changeByRange((range) => editOf(state, range, format));
    dispatch(state.update(edit, { scrollIntoView: true, userEvent: "input.format", annotations: isolateHistory.of("full") }));
    return true;
  };
}

export const formatKeymap: readonly KeyBinding[] = FORMATS.flatMap((format) => {
  const keys = FORMAT_KEYS[format];
  return keys === undefined ? [] : [{ key: keys.replace("+", "-").toLowerCase(), run: toggleFormat(format) }];
});

interface Edit {
  readonly changes: ChangeSpec[];
  readonly range: SelectionRange;
}

function has(state: EditorState, range: SelectionRange, format: Format): boolean {
  switch (format) {
    case "link":
      return enclosing(state, range, "Link") !== null;
    case "code":
      if (enclosing(state, range, "FencedCode") !== null) return true;
      return hasMarks(state, range, format);
    case "bold":
    case "italic":
      return hasMarks(state, range, format);
    default:
      return enclosing(state, range, "FencedCode") === null && linesOf(state, range).every(({ text }) => hasLineMark(text, format));
  }
}

function editOf(state: EditorState, range: SelectionRange, format: Format): Edit {
  switch (format) {
    case "link":
      return linkEdit(state, range);
    case "code": {
      const fence = enclosing(state, range, "FencedCode");
      if (fence !== null) return mapped(state, range, unfence(state, fence));
      return endOf(state, range) <= state.doc.lineAt(range.from).to ? inlineEdit(state, range, format) : mapped(state, range, inFence(state, range));
    }
    case "bold":
    case "italic":
      return inlineEdit(state, range, format);
    default:
      return mapped(state, range, lineEdit(state, range, format));
  }
}

function mapped(state: EditorState, range: SelectionRange, changes: ChangeSpec[]): Edit {
  return { changes, range: range.map(state.changes(changes), 1) };
}

/** The innermost node of this name around a range. A cursor at its edge is outside of it. */
function enclosing(state: EditorState, { from, to, empty }: { readonly from: number; readonly to: number; readonly empty?: boolean }, name: string): SyntaxNode | null {
  for (const side of [1, -1] as const) {
    for (let node: SyntaxNode | null = syntaxTree(state).resolveInner(from, side); node !== null; node = node.parent) {
      const isAround = empty === true && name !== "FencedCode" ? node.from < from && to < node.to : node.from <= from && to <= node.to;
      if (node.name === name && isAround) return node;
    }
  }
  return null;
}

// Marks around words

/** The parts of a range that a mark can be around: within one line each, without the marks that begin it. */
function partsOf(state: EditorState, range: SelectionRange): TextRange[] {
  const parts: TextRange[] = [];
  for (const { from, text } of linesOf(state, range)) {
    const start = Math.max(range.from, from + (LINE_START.exec(text)?.[0].length ?? 0));
    const words = state.sliceDoc(start, Math.max(start, Math.min(range.to, from + text.length)));
    const trimmed = words.trim();
    const begin = start + words.indexOf(trimmed);
    if (trimmed !== "") parts.push({ from: begin, to: begin + trimmed.length });
  }
  return parts;
}

function hasMarks(state: EditorState, range: SelectionRange, format: Inline): boolean {
  if (range.empty) return enclosing(state, range, NODES[format]) !== null || BARE_MARKS[format].includes(bareMarks(state, range.head, format));
  const parts = partsOf(state, range);
  return parts.length > 0 && parts.every((part) => enclosing(state, part, NODES[format]) !== null);
}

/** How many marks stand on both sides of a cursor. */
function bareMarks(state: EditorState, at: number, format: Inline): number {
  const line = state.doc.lineAt(at);
  const mark = MARKS[format].charAt(0);
  const isMark = (found: string) => found === mark;
  const before = [...line.text.slice(0, at - line.from)].reverse().findIndex((found) => !isMark(found));
  const after = [...line.text.slice(at - line.from)].findIndex((found) => !isMark(found));
  const [left, right] = [before < 0 ? at - line.from : before, after < 0 ? line.to - at : after];
  return left === right ? left : 0;
}

function inlineEdit(state: EditorState, range: SelectionRange, format: Inline): Edit {
  const [mark, name] = [MARKS[format], NODES[format]];
  const isOn = hasMarks(state, range, format);
  if (range.empty) {
    const { head } = range;
    const node = enclosing(state, range, name);
    if (node !== null) return mapped(state, range, marksOf(node));
    if (isOn) return mapped(state, range, [{ from: head - mark.length, to: head + mark.length }]);
    const word = state.wordAt(head);
    if (word === null) return { changes: [{ from: head, insert: mark + mark }], range: EditorSelection.cursor(head + mark.length) };
    const changes = around(word, mark);
    return { changes, range: range.map(state.changes(changes), head === word.from ? 1 : -1) };
  }
  const parts = partsOf(state, range);
  if (isOn) {
    const nodes = new Map(parts.flatMap((part) => enclosing(state, part, name) ?? []).map((node) => [node.from, node]));
    return mapped(state, range, [...nodes.values()].flatMap(marksOf));
  }
  return mapped(state, range, parts.flatMap((part) => marked(state, part, format)));
}

/** Put marks around a part of a line, in place of those that begin or end in it. */
function marked(state: EditorState, part: TextRange, format: Inline): ChangeSpec[] {
  let { from, to } = part;
  const inner: ChangeSpec[] = [];
  syntaxTree(state).iterate({
    from,
    to,
    enter({ name, node }) {
      if (name !== NODES[format] || node.to <= part.from || node.from >= part.to) return;
      [from, to] = [Math.min(from, node.from), Math.max(to, node.to)];
      inner.push(...marksOf(node));
    },
  });
  return [...inner, ...around({ from, to }, MARKS[format])];
}

function around({ from, to }: TextRange, mark: string): ChangeSpec[] {
  return [
    { from, insert: mark },
    { from: to, insert: mark },
  ];
}

/** Changes that delete the marks of a node. */
function marksOf({ firstChild, lastChild }: SyntaxNode): ChangeSpec[] {
  return [firstChild, lastChild].flatMap((mark) => (mark === null ? [] : [{ from: mark.from, to: mark.to }]));
}

function linkEdit(state: EditorState, range: SelectionRange): Edit {
  const link = enclosing(state, range, "Link");
  if (link !== null) {
    const [open, close] = link.getChildren("LinkMark");
    return mapped(state, range, open === undefined || close === undefined ? [] : [{ from: open.from, to: open.to }, { from: close.from, to: link.to }]);
  }
  const part = range.empty ? state.wordAt(range.head) : (partsOf(state, range)[0] ?? null);
  if (part === null) return { changes: [{ from: range.head, insert: "[]()" }], range: EditorSelection.cursor(range.head + 1) };
  const text = state.sliceDoc(part.from, part.to);
  const isAddress = /^(?:https?:\/\/|mailto:)\S+$/.test(text);
  const [before, after] = isAddress ? ["[](", ")"] : ["[", "]()"];
  const at = isAddress ? part.from + 1 : part.to + before.length + 2;
  return { changes: [{ from: part.from, insert: before }, { from: part.to, insert: after }], range: EditorSelection.cursor(at) };
}

// Marks at the beginning of lines

/** The end of a range, less a line break at its very end. */
function endOf(state: EditorState, { from, to }: TextRange): number {
  return to > from && state.doc.lineAt(to).from === to ? to - 1 : to;
}

/** The lines of a range; of several, those that have text. */
function linesOf(state: EditorState, range: TextRange): { readonly from: number; readonly text: string }[] {
  const lines = [];
  for (let line = state.doc.lineAt(range.from); ; line = state.doc.line(line.number + 1)) {
    lines.push(line);
    if (line.to >= endOf(state, range)) break;
  }
  const written = lines.filter(({ text }) => text.trim() !== "");
  return lines.length > 1 && written.length > 0 ? written : lines.slice(0, 1);
}

function hasLineMark(text: string, format: OfLine): boolean {
  const [, quote = "", , list = "", heading = ""] = LINE_START.exec(text) ?? [];
  if (format === "quote") return quote !== "";
  if (format === "heading") return heading !== "";
  return list !== "" && /\d/.test(list) === (format === "numbers");
}

function lineEdit(state: EditorState, range: SelectionRange, format: OfLine): ChangeSpec[] {
  const lines = linesOf(state, range);
  const isOn = lines.every(({ text }) => hasLineMark(text, format));
  const level = headingLevel(lines[0]?.text ?? "");
  return lines.flatMap(({ from, text }, at): ChangeSpec[] => {
    const [, quote = "", indent = "", list = "", heading = ""] = LINE_START.exec(text) ?? [];
    const afterQuote = from + quote.length;
    const listAt = afterQuote + indent.length;
    const headingAt = listAt + list.length;
    switch (format) {
      case "quote":
        return [isOn ? { from, to: from + (/^[ \t]*>[ \t]?/.exec(quote)?.[0].length ?? 0) } : quote === "" ? { from, insert: "> " } : []];
      case "heading":
        return [{ from: headingAt, to: headingAt + heading.length, insert: level < MAX_HEADING ? `${"#".repeat(level + 1)} ` : "" }];
      default:
        return [{ from: listAt, to: headingAt, insert: isOn ? "" : format === "bullets" ? "- " : `${at + 1}. ` }];
    }
  });
}

/** The level of a heading; 0 for other lines. */
function headingLevel(text: string): number {
  return LINE_START.exec(text)?.[4]?.trim().length ?? 0;
}

function inFence(state: EditorState, range: TextRange): ChangeSpec[] {
  const [first, last] = [state.doc.lineAt(range.from), state.doc.lineAt(endOf(state, range))];
  const longest = Math.max(2, ...(state.sliceDoc(first.from, last.to).match(/`{3,}/g) ?? []).map(({ length }) => length));
  const fence = "`".repeat(longest + 1);
  return [
    { from: first.from, insert: `${fence}\n` },
    { from: last.to, insert: `\n${fence}` },
  ];
}

/** Changes that delete the lines of a fence. */
function unfence(state: EditorState, node: SyntaxNode): ChangeSpec[] {
  const [first, last] = [state.doc.lineAt(node.from), state.doc.lineAt(node.to)];
  const isClosed = node.getChildren("CodeMark").length > 1 && last.number > first.number;
  return [{ from: node.from, to: Math.min(first.to + 1, state.doc.length) }, ...(isClosed ? [{ from: Math.max(last.from - 1, first.to + 1), to: node.to }] : [])];
}
