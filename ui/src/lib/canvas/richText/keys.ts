// The keys of the rich-text editor, and what typed Markdown becomes.

import { baseKeymap, chainCommands, exitCode, joinUp, selectNodeBackward } from "prosemirror-commands";
import { redo, undo } from "prosemirror-history";
import { InputRule, inputRules, textblockTypeInputRule, undoInputRule, wrappingInputRule } from "prosemirror-inputrules";
import { keymap } from "prosemirror-keymap";
import { Fragment, type MarkType, type Node } from "prosemirror-model";
import { liftListItem, sinkListItem, splitListItem } from "prosemirror-schema-list";
import { type Command, type EditorState, Plugin, TextSelection } from "prosemirror-state";
import { toggleChecked } from "./commands.ts";
import { schema } from "./schema.ts";
import { enterInTable, leaveTable, nextCell, previousCell } from "./tables.ts";

const { marks, nodes } = schema;
const ADDRESS = /(?:^|\s)((?:https?:\/\/|www\.)[^\s<>]*[^\s<>.,;:!?)'"”»])\s$/;

/** A formula; prices such as $5/$6 end in a sign before the second dollar. */
const FORMULA = /(?:^|[^$\p{L}\p{N}_\\])(\$(?![\s$])[^$]*[^\s$/–—-]\$)$/u;
/** No formula, as a digit follows: a price after another one. */
const PRICES = /(\$[^$]+\$)\d$/;

/** Insert a line break, but where a new paragraph is the only way on. */
const lineBreak: Command = (state, dispatch) => {
  if (state.selection.$from.parent.type.spec.code === true) return false;
  dispatch?.(state.tr.replaceSelectionWith(nodes.hardBreak.create()).scrollIntoView());
  return true;
};

/** Three dashes or backticks on a line of their own become a rule or a block of code. */
const finishLine: Command = (state, dispatch) => {
  const { $from, empty } = state.selection;
  if (!empty || $from.parent.type !== nodes.paragraph || $from.parentOffset !== $from.parent.content.size) return false;
  const text = $from.parent.textContent;
  const fence = /^(?:```|~~~)([\w+#.-]*)$/.exec(text);
  if (fence === null && !/^(?:---|\*\*\*|___)$/.test(text)) return false;
  const replacement = fence === null ? Fragment.from([nodes.rule.create(), nodes.paragraph.create()]) : Fragment.from(nodes.codeBlock.create({ info: fence[1] }));
  if (dispatch === undefined) return true;
  const at = $from.before();
  const tr = state.tr.replaceWith(at, $from.after(), replacement);
  dispatch(tr.setSelection(TextSelection.near(tr.doc.resolve(at + 1))).scrollIntoView());
  return true;
};

/** Divide an item; the new one of a task is a task that isn't done. */
const splitItem: Command = (state, dispatch) => {
  const { $from } = state.selection;
  const item = $from.depth > 1 ? $from.node($from.depth - 1) : null;
  const attrs = item?.type === nodes.listItem && item.attrs["checked"] !== null ? { checked: false } : undefined;
  return splitListItem(nodes.listItem, attrs)(state, dispatch);
};

/** Leave a block of code from an empty last line, as lists and quotes are left. */
const leaveCode: Command = (state, dispatch, view) => {
  const { $from, empty } = state.selection;
  if (!empty || $from.parent.type.spec.code !== true || $from.parentOffset !== $from.parent.content.size || !$from.parent.textContent.endsWith("\n\n")) return false;
  return exitCode(state, dispatch === undefined ? undefined : (tr) => dispatch(tr.delete($from.pos - 2, $from.pos)), view);
};

/** At the beginning of an item, the Tab key moves it in and out; elsewhere it leaves the text. */
function atItemStart(command: Command): Command {
  return (state, dispatch, view) => state.selection.empty && state.selection.$from.parentOffset === 0 && command(state, dispatch, view);
}

/** At the beginning of a heading the Backspace key makes it text. */
const plainHeading: Command = (state, dispatch) => {
  const { $from, empty } = state.selection;
  if (!empty || $from.parentOffset > 0 || ($from.parent.type !== nodes.heading && $from.parent.type.spec.code !== true)) return false;
  if (state.selection.$from.parent.type === nodes.sourceBlock && $from.parent.content.size > 0) return false;
  dispatch?.(state.tr.setBlockType($from.pos, $from.pos, nodes.paragraph));
  return true;
};

const backspace = chainCommands(undoInputRule, plainHeading, atItemStart(liftListItem(nodes.listItem)));

export function keys(commands: Readonly<Record<string, Command>>): Plugin[] {
  return [
    keymap(commands),
    keymap({
      "Mod-a": selectText,
      "Mod-z": undo,
      "Mod-y": redo,
      "Mod-Shift-z": redo,
      Enter: chainCommands(enterInTable, finishLine, leaveCode, splitItem),
      "Shift-Enter": chainCommands(newLineInCode, lineBreak),
      "Mod-Enter": chainCommands(toggleChecked, leaveTable, exitCode),
      Tab: chainCommands(nextCell, atItemStart(sinkListItem(nodes.listItem))),
      "Shift-Tab": chainCommands(previousCell, atItemStart(liftListItem(nodes.listItem))),
      "Mod-]": sinkListItem(nodes.listItem),
      "Mod-[": liftListItem(nodes.listItem),
      "Alt-ArrowUp": joinUp,
      Backspace: chainCommands(backspace, selectNodeBackward),
    }),
    keymap(baseKeymap),
  ];
}

/** Select from the first to the last word, so that lists and marks can be given to all that is between. */
const selectText: Command = ({ doc, tr }, dispatch) => {
  const hasWords = (node: Node | null) => node !== null && !node.isAtom && node.type !== nodes.table;
  if (!hasWords(doc.firstChild) || !hasWords(doc.lastChild)) return false;
  dispatch?.(tr.setSelection(TextSelection.between(doc.resolve(0), doc.resolve(doc.content.size))));
  return true;
};

/** In code a line break is a new line, as the Enter key makes it. */
function newLineInCode(state: EditorState, dispatch?: Parameters<Command>[1]): boolean {
  return state.selection.$from.parent.type.spec.code === true && (baseKeymap["Enter"] as Command)(state, dispatch);
}

// Typed Markdown

export const typedMarkdown: Plugin = inputRules({
  rules: [
    textblockTypeInputRule(/^(#{1,6})\s$/, nodes.heading, ([, hashes = ""]) => ({ level: hashes.length })),
    wrappingInputRule(/^\s*>\s$/, nodes.blockquote),
    new InputRule(/^(?:[-+*]|\d{1,9}[.)])\s$/, markAgain),
    wrappingInputRule(/^\s*([-+*])\s$/, nodes.bulletList, ([, marker]) => ({ marker })),
    wrappingInputRule(/^(\d{1,9})[.)]\s$/, nodes.orderedList, ([, order]) => ({ order: Number(order) }), ([, order], list) => list.childCount + Number(list.attrs["order"]) === Number(order)),
    new InputRule(/^\[([ xX]?)\]\s$/, beginTask),
    around(/(?:^|[^*\p{L}\p{N}_])(\*\*([^*\s](?:[^*]*[^*\s])?)\*\*)$/u, marks.strong),
    around(/(?:^|[^\p{L}\p{N}_])(__([^_\s](?:[^_]*[^_\s])?)__)$/u, marks.strong),
    around(/(?:^|[^*\p{L}\p{N}_])(\*([^*\s](?:[^*]*[^*\s])?)\*)$/u, marks.em),
    around(/(?:^|[^\p{L}\p{N}_])(_([^_\s](?:[^_]*[^_\s])?)_)$/u, marks.em),
    around(/(?:^|[^~])(~~([^~\s](?:[^~]*[^~\s])?)~~)$/, marks.strike),
    around(/(?:^|[^`])(`([^`]+)`)$/, marks.code),
    new InputRule(FORMULA, keepSource),
    new InputRule(PRICES, releaseSource),
    new InputRule(ADDRESS, linkAddress),
  ],
});

/** Give what stands between marks the format, without the marks. */
function around(pattern: RegExp, type: MarkType): InputRule {
  return new InputRule(pattern, (state, [whole, marked = "", words = ""], start, end) => {
    if (state.doc.resolve(end).parent.type.spec.code === true) return null;
    const from = start + whole.indexOf(marked);
    const side = (marked.length - words.length) / 2;
    const typed = side - (whole.length - (end - start)); // of the closing marks, those that stand in the document already
    const { tr } = state;
    if (typed > 0) tr.delete(end - typed, end);
    tr.delete(from, from + side);
    const to = from + words.length;
    return tr.addMark(from, to, type.create()).removeStoredMark(type);
  });
}

/** The mark of an item that is typed in an item has been set already. */
function markAgain(state: EditorState, _match: RegExpMatchArray, start: number, end: number) {
  const $start = state.doc.resolve(start);
  const item = $start.depth > 1 ? $start.node($start.depth - 1) : null;
  return item?.type === nodes.listItem && item.firstChild === $start.parent ? state.tr.delete(start, end) : null;
}

function beginTask(state: EditorState, [, tick = ""]: RegExpMatchArray, start: number, end: number) {
  const checked = tick.trim() !== "";
  const $start = state.doc.resolve(start);
  const item = $start.depth > 1 ? $start.node($start.depth - 1) : null;
  const tr = state.tr.delete(start, end);
  if (item?.type === nodes.listItem) return item.firstChild === $start.parent ? tr.setNodeAttribute($start.before($start.depth - 1), "checked", checked) : null;
  const range = tr.doc.resolve(start).blockRange();
  if (range === null || $start.parent.type !== nodes.paragraph) return null;
  const wrapping = [
    { type: nodes.bulletList, attrs: {} },
    { type: nodes.listItem, attrs: { checked } },
  ];
  return range.parent.canReplaceWith(range.startIndex, range.endIndex, nodes.bulletList) ? tr.wrap(range, wrapping) : null;
}

function keepSource(state: EditorState, [whole, formula = ""]: RegExpMatchArray, start: number, end: number) {
  if (!isBalanced(formula)) return null;
  const from = start + whole.indexOf(formula);
  const tr = state.tr.insertText("$", end);
  return tr.addMark(from, from + formula.length, marks.source.create()).removeStoredMark(marks.source);
}

function releaseSource(state: EditorState, [whole, formula = ""]: RegExpMatchArray, start: number, end: number) {
  if (!state.doc.rangeHasMark(start, end, marks.source)) return null;
  return state.tr.insertText(whole.slice(formula.length), end).removeMark(start, start + formula.length, marks.source);
}

/** True where each bracket is closed: of prices such as “$5 (US$6)”, those between the dollars aren't. */
function isBalanced(text: string): boolean {
  return text.split(/[([{]/).length === text.split(/[)\]}]/).length;
}

function linkAddress(state: EditorState, [whole, address = ""]: RegExpMatchArray, start: number, end: number) {
  const from = start + whole.indexOf(address);
  const to = from + address.length;
  if (state.doc.rangeHasMark(from, to, marks.link)) return null;
  const tr = state.tr.insertText(whole.at(-1) ?? " ", end);
  return tr.addMark(from, to, marks.link.create({ href: address.startsWith("www.") ? `http://${address}` : address })).removeStoredMark(marks.link);
}
