// Commands of rich text: its marks, styles, lists and insertions; and which of them hold at the cursor.

import { lift, setBlockType, toggleMark, wrapIn } from "prosemirror-commands";
import { type Attrs, type Mark, type MarkType, type Node, type NodeType, Slice, Fragment } from "prosemirror-model";
import { liftListItem, wrapInList } from "prosemirror-schema-list";
import { type Command, type EditorState, NodeSelection, TextSelection } from "prosemirror-state";
import { isInTable } from "prosemirror-tables";
import { type Command as CommandName, type Format, FORMATS, type FormatState, type LinkRequest, type Style, STYLES, TABLE_EDITS } from "../formats.ts";
import { isList, schema } from "./schema.ts";
import { insertTable, tableCommands } from "./tables.ts";

const { marks, nodes } = schema;
const MARKS: Readonly<Partial<Record<Format, MarkType>>> = { bold: marks.strong, italic: marks.em, strike: marks.strike, code: marks.code };
const SAFE_ADDRESS = /^(?:https?:\/\/|mailto:|#)/i;

/** The command of a button; null for links and images, whose address is asked for. */
export function commandOf(name: CommandName): Command | null {
  switch (name) {
    case "bold":
    case "italic":
    case "strike":
    case "code":
      return toggleMark(MARKS[name] as MarkType);
    case "bullets":
      return toggleList(nodes.bulletList);
    case "numbers":
      return toggleList(nodes.orderedList);
    case "tasks":
      return toggleTasks;
    case "quote":
      return toggleQuote;
    case "table":
      return insertTable;
    case "rule":
      return insertRule;
    case "link":
    case "image":
      return null;
    default:
      return isStyle(name) ? setStyle(name) : tableCommands[name];
  }
}

function isStyle(name: CommandName): name is Style {
  return (STYLES as readonly string[]).includes(name);
}

/** The formats at the cursor, or of all that is selected. */
export function formatsOf(state: EditorState): FormatState {
  const blocks: Node[] = [];
  const { selection, doc } = state;
  for (const { $from, $to } of selection.ranges) {
    doc.nodesBetween($from.pos, $to.pos, (node) => {
      if (node.isTextblock) blocks.push(node);
      return !node.isTextblock;
    });
  }
  const styles = new Set(blocks.map(styleOf));
  return {
    formats: new Set(FORMATS.filter((format) => has(state, format))),
    style: styles.size === 1 ? ([...styles][0] ?? null) : null,
    tableEdits: new Set(isInTable(state) ? TABLE_EDITS.filter((edit) => tableCommands[edit](state)) : []),
  };
}

function styleOf({ type, attrs }: Node): Style | null {
  if (type === nodes.heading) return `heading${attrs["level"]}` as Style;
  if (type.spec.code === true) return "codeBlock";
  return "text";
}

function has(state: EditorState, format: Format): boolean {
  switch (format) {
    case "bullets":
    case "numbers":
    case "tasks":
      return innermostList(state)?.kind === format;
    case "quote":
      return ancestor(state, (node) => node.type === nodes.blockquote) !== null;
    case "link":
      return hasMark(state, marks.link);
    default:
      return hasMark(state, MARKS[format] as MarkType);
  }
}

function hasMark(state: EditorState, type: MarkType): boolean {
  const { empty, $from, ranges } = state.selection;
  if (empty) return type.isInSet(state.storedMarks ?? $from.marks()) !== undefined;
  return ranges.every(({ $from: start, $to: end }) => {
    let words = 0;
    let marked = 0;
    state.doc.nodesBetween(start.pos, end.pos, (node, at) => {
      if (!node.isInline || (node.isText && node.text?.slice(Math.max(0, start.pos - at), end.pos - at).trim() === "")) return;
      words++;
      if (type.isInSet(node.marks)) marked++;
    });
    return words > 0 && marked === words;
  });
}

function ancestor({ selection: { $from } }: EditorState, fits: (node: Node) => boolean): { node: Node; depth: number } | null {
  for (let depth = $from.depth; depth > 0; depth--) {
    const node = $from.node(depth);
    if (fits(node)) return { node, depth };
  }
  return null;
}

function innermostList(state: EditorState): { node: Node; depth: number; kind: "bullets" | "numbers" | "tasks" } | null {
  const found = ancestor(state, isList);
  if (found === null) return null;
  const item = state.selection.$from.node(found.depth + 1);
  const kind = item.attrs["checked"] !== null ? "tasks" : found.node.type === nodes.bulletList ? "bullets" : "numbers";
  return { ...found, kind };
}

/** Give all that is selected a style; a heading or a block of code that is so already becomes text. */
function setStyle(style: Style): Command {
  const level = /^heading(\d)$/.exec(style)?.[1];
  return (state, dispatch, view) => {
    if (style === "codeBlock") return codeBlock(state, dispatch, view);
    return setBlockType(level === undefined ? nodes.paragraph : nodes.heading, level === undefined ? null : { level: Number(level) })(state, dispatch, view);
  };
}

/** Put the selected blocks into one block of code. */
const codeBlock: Command = (state, dispatch) => {
  const { $from, $to } = state.selection;
  const range = $from.blockRange($to);
  if (range === null || isInTable(state)) return false;
  const lines: string[] = [];
  state.doc.nodesBetween(range.start, range.end, (node) => {
    if (node.isTextblock) lines.push(node.textBetween(0, node.content.size, null, (leaf) => (leaf.type === nodes.hardBreak ? "\n" : "")));
    return !node.isTextblock;
  });
  const text = lines.join("\n");
  const block = nodes.codeBlock.create(null, text === "" ? [] : schema.text(text));
  if (!range.parent.canReplaceWith(range.startIndex, range.endIndex, nodes.codeBlock)) return false;
  if (dispatch === undefined) return true;
  const tr = state.tr.replaceWith(range.start, range.end, block);
  dispatch(tr.setSelection(TextSelection.near(tr.doc.resolve(range.start + 1 + text.length))).scrollIntoView());
  return true;
};

function toggleList(type: NodeType): Command {
  return (state, dispatch, view) => {
    const list = innermostList(state);
    const wanted = type === nodes.bulletList ? "bullets" : "numbers";
    if (list === null) return wrapInList(type)(state, dispatch, view);
    if (list.kind === wanted) return liftListItem(nodes.listItem)(state, dispatch, view);
    dispatch?.(changeList(state, list, type, null));
    return true;
  };
}

const toggleTasks: Command = (state, dispatch, view) => {
  const list = innermostList(state);
  if (list?.kind === "tasks") return liftListItem(nodes.listItem)(state, dispatch, view);
  if (list !== null) {
    dispatch?.(changeList(state, list, list.node.type, false));
    return true;
  }
  return wrapInList(nodes.bulletList)(state, dispatch === undefined ? undefined : (tr) => {
    const { $from, $to } = tr.selection;
    tr.doc.nodesBetween($from.pos, $to.pos, (node, at) => {
      if (node.type === nodes.listItem) tr.setNodeAttribute(at, "checked", false);
    });
    dispatch(tr);
  });
};

/** Make a list one of another kind. */
function changeList(state: EditorState, { node, depth }: { node: Node; depth: number }, type: NodeType, checked: boolean | null) {
  const at = state.selection.$from.before(depth);
  const attrs: Attrs = { tight: node.attrs["tight"] as boolean };
  const { tr } = state;
  if (type !== node.type) tr.setNodeMarkup(at, type, attrs);
  node.forEach((item, offset) => {
    if ((item.attrs["checked"] === null) !== (checked === null)) tr.setNodeAttribute(at + 1 + offset, "checked", checked);
  });
  return tr.scrollIntoView();
}

const toggleQuote: Command = (state, dispatch, view) => {
  const quote = ancestor(state, (node) => node.type === nodes.blockquote);
  if (quote === null) return wrapIn(nodes.blockquote)(state, dispatch, view);
  if (quote.depth === state.selection.$from.depth - 1) return lift(state, dispatch);
  const at = state.selection.$from.before(quote.depth);
  dispatch?.(state.tr.replace(at, at + quote.node.nodeSize, new Slice(quote.node.content, 0, 0)).scrollIntoView());
  return true;
};

/** Put a line below the block at the cursor, and a paragraph to go on in. */
const insertRule: Command = (state, dispatch) => {
  const { $from } = state.selection;
  if (isInTable(state) || $from.depth === 0) return false;
  const isEmpty = $from.parent.content.size === 0 && $from.parent.type === nodes.paragraph;
  const at = isEmpty ? $from.before() : $from.after();
  const end = isEmpty ? $from.after() : at;
  const isLast = state.doc.resolve(end).nodeAfter === null;
  if (dispatch === undefined) return true;
  const tr = state.tr.replaceWith(at, end, isLast ? Fragment.from([nodes.rule.create(), nodes.paragraph.create()]) : nodes.rule.create());
  dispatch(tr.setSelection(TextSelection.near(tr.doc.resolve(at + 1))).scrollIntoView());
  return true;
};

/** Tick a task, or take the tick away. */
export const toggleChecked: Command = (state, dispatch) => {
  const item = ancestor(state, (node) => node.type === nodes.listItem);
  if (item === null || item.node.attrs["checked"] === null) return false;
  dispatch?.(state.tr.setNodeAttribute(state.selection.$from.before(item.depth), "checked", item.node.attrs["checked"] !== true));
  return true;
};

// Links and images

/** The link at the cursor with all its words; or the word there, or what is selected. */
function linkRange(state: EditorState): { from: number; to: number; mark: Mark | null } {
  const { from, to, $from, empty } = state.selection;
  const mark = marks.link.isInSet(empty ? $from.marks() : ($from.nodeAfter?.marks ?? [])) ?? null;
  const parent = $from.parent;
  if (mark !== null) {
    let [start, end] = [$from.pos, $from.pos];
    parent.forEach((node, offset) => {
      const at = $from.start() + offset;
      if (!mark.isInSet(node.marks)) return;
      if (at === end || (at <= $from.pos && $from.pos <= at + node.nodeSize)) [start, end] = [Math.min(start, at), Math.max(end, at + node.nodeSize)];
    });
    return { from: start, to: end, mark };
  }
  if (!empty || !parent.inlineContent) return { from, to, mark };
  const text = parent.textBetween(0, parent.content.size, "\ufffc", "\ufffc");
  const before = /[\p{L}\p{N}]*$/u.exec(text.slice(0, $from.parentOffset))?.[0].length ?? 0;
  const after = /^[\p{L}\p{N}]*/u.exec(text.slice($from.parentOffset))?.[0].length ?? 0;
  return { from: from - before, to: to + after, mark };
}

export function linkAt(state: EditorState, kind: "link" | "image"): LinkRequest {
  const { selection } = state;
  if (selection instanceof NodeSelection && selection.node.type === nodes.image) {
    return { kind: "image", address: String(selection.node.attrs["src"]), text: String(selection.node.attrs["alt"]), exists: true };
  }
  const { from, to, mark } = linkRange(state);
  const text = linkText(state, from, to);
  if (kind === "image") return { kind, address: "", text: selection.empty ? "" : text, exists: false };
  const isAddress = /^(?:https?:\/\/|mailto:)\S+$/.test(text);
  return { kind, address: mark === null ? (isAddress ? text : "") : String(mark.attrs["href"]), text, exists: mark !== null };
}

/** The words of a range, with those that describe its images. */
function linkText({ doc }: EditorState, from: number, to: number): string {
  return doc.textBetween(from, to, " ", (leaf) => (leaf.type === nodes.image ? String(leaf.attrs["alt"]) : " "));
}

function hasImage({ doc }: EditorState, from: number, to: number): boolean {
  let isFound = false;
  doc.nodesBetween(from, to, ({ type }) => void (isFound ||= type === nodes.image));
  return isFound;
}

/** Put a link or an image at the cursor; an empty address takes it away. */
export function setLink({ kind, address: typed, text }: Pick<LinkRequest, "kind" | "address" | "text">): Command {
  return (state, dispatch) => {
    const address = completed(typed.trim());
    const { tr, selection } = state;
    if (kind === "image") {
      const known = selection instanceof NodeSelection && selection.node.type === nodes.image ? selection.node.attrs : {};
      if (address === "") tr.deleteSelection();
      else tr.replaceSelectionWith(nodes.image.create({ ...known, src: address, alt: text.trim() }));
      dispatch?.(tr.scrollIntoView());
      return true;
    }
    const { from, to, mark } = linkRange(state);
    if (address === "") tr.removeMark(from, to, marks.link);
    else {
      const link = marks.link.create({ href: address, title: mark?.attrs["title"] ?? null });
      const shown = text.trim() === "" ? address : text;
      if (!hasImage(state, from, to) && linkText(state, from, to) !== shown) {
        const kept = state.doc.resolve(from).marks().filter(({ type }) => type !== marks.link);
        tr.replaceWith(from, to, schema.text(shown, kept));
        tr.addMark(from, from + shown.length, link).setSelection(TextSelection.create(tr.doc, from + shown.length));
      } else tr.addMark(from, to, link).setSelection(TextSelection.create(tr.doc, to));
    }
    dispatch?.(tr.removeStoredMark(marks.link).scrollIntoView());
    return true;
  };
}

/** An address as people write it, with what makes it one. */
function completed(typed: string): string {
  if (typed === "" || SAFE_ADDRESS.test(typed) || /^data:image\//.test(typed)) return typed;
  if (/^[^\s@/]+@[^\s@/]+\.[^\s@/]+$/.test(typed)) return `mailto:${typed}`;
  return /^[\w-]+(?:\.[\w-]+)+(?:[/?#:]|$)/.test(typed) ? `https://${typed}` : typed;
}
