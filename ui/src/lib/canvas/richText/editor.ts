// The rich-text editor of canvases: Markdown as it will look, on ProseMirror. Its text is Markdown, of which what nobody
// changes stays as it was.

import { gapCursor } from "prosemirror-gapcursor";
import { history } from "prosemirror-history";
import { Fragment, type Node } from "prosemirror-model";
import { EditorState, NodeSelection, TextSelection, type Transaction } from "prosemirror-state";
import { isInTable, tableEditing } from "prosemirror-tables";
import { EditorView } from "prosemirror-view";
import { type Command as CommandName, FORMAT_KEYS, type FormatState, type LinkRequest } from "../formats.ts";
import type { Selected } from "../patches.ts";
import { copied, forCell, pastedCode, pastedHtml, pastedText } from "./clipboard.ts";
import { commandOf, formatsOf, linkAt, setLink } from "./commands.ts";
import { typesetFormulas } from "./formulas.ts";
import { frontMatterFirst } from "./frontMatter.ts";
import { keys, typedMarkdown } from "./keys.ts";
import { documentOf, parse, type Parsed } from "./parse.ts";
import { schema } from "./schema.ts";
import { MarkdownSource } from "./source.ts";
import { regularTables } from "./tables.ts";
import { nodeViews } from "./views.ts";

export interface RichTextOptions {
  /** The name of the text field, for screen readers. */
  readonly label: string;
  onInput(text: string): void;
  /** The selected range of the Markdown, and where it ends on the screen; null where nothing is selected. */
  onSelect(selected: Selected | null): void;
  onSave(): void;
  onFormats(formats: FormatState): void;
  /** Asks for the address of a link or an image. */
  onLink(request: LinkRequest): void;
}

/** Marks changes that come from elsewhere than the keyboard, and says what they were read from. */
const FROM_ELSEWHERE = "fromElsewhere";
/** Of longer parts that differ, all is replaced. */
const MAX_COMPARED_BLOCKS = 400;

interface Given {
  readonly text: string;
  readonly parsed: Parsed;
}

export class RichTextEditor {
  readonly #view: EditorView;
  readonly #options: RichTextOptions;
  readonly #host: HTMLElement;
  #source: MarkdownSource;
  /** The text as it was given, whose lines may end in other ways than Markdown's here. */
  #given: string;
  #isWritable = true;
  #frame = 0;

  constructor(host: HTMLElement, text: string, options: RichTextOptions) {
    this.#options = options;
    this.#host = host;
    this.#given = text;
    this.#source = new MarkdownSource(normalized(text));
    const formats = Object.fromEntries(
      Object.entries(FORMAT_KEYS).map(([name, shortcut]) => [shortcut.replace("+", "-").toLowerCase().replace("mod", "Mod"), () => (this.run(name as CommandName), true)]),
    );
    const save = () => (options.onSave(), true);
    this.#view = new EditorView(host, {
      state: EditorState.create({
        doc: this.#source.doc,
        plugins: [typedMarkdown, ...keys({ ...formats, "Mod-s": save }), history(), gapCursor(), tableEditing(), regularTables, frontMatterFirst, typesetFormulas],
      }),
      attributes: { role: "textbox", "aria-multiline": "true", "aria-label": options.label, dir: "auto", spellcheck: "true", class: "rich" },
      editable: () => this.#isWritable,
      nodeViews,
      dispatchTransaction: (transaction) => this.#take(transaction),
      clipboardTextSerializer: (slice) => copied(slice, this.#source.links),
      clipboardTextParser: (pasted, $context, isPlain) => pastedText(pasted, isPlain || $context.parent.type.spec.code === true),
      handlePaste: (view, { clipboardData }) => clipboardData !== null && pastedCode(view, clipboardData),
      transformPastedHTML: pastedHtml,
      transformPasted: (slice, { state }) => (isInTable(state) ? forCell(slice) : slice),
      handleClick: (_view, position, event) => follow(event) || this.#endClicked(position, event),
      handleDoubleClickOn: (_view, _position, node, at) => node.type === schema.nodes.image && this.#askImage(at),
    });
    options.onFormats(formatsOf(this.#view.state));
  }

  get text(): string {
    return this.#given;
  }

  /** Put another text in place; blocks that stay the same aren't touched, nor is the selection there. Undoing takes it
   * back only where the person chose it. */
  replace(text: string, isChosen = false): void {
    if (text === this.#given) return;
    const clean = normalized(text);
    const parsed = parse(clean);
    const wanted = documentOf(parsed.blocks);
    const { tr } = this.#view.state;
    for (const { from, to, fromNew, toNew } of differingBlocks(tr.doc, wanted).toReversed()) replaceBlocks(tr, from, to, wanted, fromNew, toNew);
    if (!tr.doc.eq(wanted)) tr.replaceWith(0, tr.doc.content.size, wanted.content);
    this.#given = text;
    this.#view.dispatch(tr.setMeta(FROM_ELSEWHERE, { text: clean, parsed } satisfies Given).setMeta("addToHistory", isChosen));
  }

  setWritable(isWritable: boolean): void {
    if (isWritable === this.#isWritable) return;
    this.#isWritable = isWritable;
    this.#view.setProps({ editable: () => isWritable });
  }

  focus(): void {
    this.#view.focus();
  }

  /** Run the command of a button, and go on writing. */
  run(name: CommandName): void {
    if (!this.#isWritable) return;
    const command = commandOf(name);
    if (command === null) {
      this.#options.onLink(linkAt(this.#view.state, name === "image" ? "image" : "link"));
      return;
    }
    command(this.#view.state, (transaction) => this.#view.dispatch(transaction), this.#view);
    this.#view.focus();
  }

  /** Put what was asked for in its place; an empty address takes the link away. */
  link(request: Pick<LinkRequest, "kind" | "address" | "text">): void {
    setLink(request)(this.#view.state, (transaction) => this.#view.dispatch(transaction));
    this.#view.focus();
  }

  /** Put the cursor at the end of the selection. */
  deselect(): void {
    const { state } = this.#view;
    this.#view.dispatch(state.tr.setSelection(TextSelection.near(state.doc.resolve(state.selection.to), -1)));
  }

  destroy(): void {
    cancelAnimationFrame(this.#frame);
    this.#view.destroy();
  }

  #take(transaction: Transaction): void {
    const before = this.#view.state;
    const { state, transactions } = before.applyTransaction(transaction);
    this.#view.updateState(state);
    const given = transaction.getMeta(FROM_ELSEWHERE) as Given | undefined;
    if (given !== undefined && transactions.length === 1) this.#source.adopt(state.doc, given.text, given.parsed);
    else if (given !== undefined) this.#source.update(state.doc);
    else if (!state.doc.eq(before.doc)) {
      this.#given = this.#source.update(state.doc).replaceAll("\n", lineEnd(this.#given));
      this.#options.onInput(this.#given);
      this.#showDefined();
    }
    this.#options.onFormats(formatsOf(this.#view.state));
    if (given !== undefined || !state.selection.eq(before.selection) || state.doc !== before.doc) this.#tellSelection();
  }

  /** Show links and notes by the definitions that were just changed. */
  #showDefined(): void {
    const found = this.#source.reread();
    if (found.length === 0) return;
    const { tr } = this.#view.state;
    for (const { at, before, node } of found.toReversed()) tr.replaceWith(at, at + before.nodeSize, node);
    this.#view.updateState(this.#view.state.apply(tr.setMeta("addToHistory", false)));
    this.#source.update(this.#view.state.doc);
  }

  /** Tell what is selected, once in a frame: its place on the screen is known then. */
  #tellSelection(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      const { selection } = this.#view.state;
      if (selection.empty || !(selection instanceof TextSelection || selection instanceof NodeSelection || selection.from < selection.to)) return this.#options.onSelect(null);
      const { from, to } = this.#source.range(selection.from, selection.to);
      const at = this.#view.coordsAtPos(selection.head, selection.head === selection.to ? -1 : 1);
      const box = this.#host.getBoundingClientRect();
      this.#options.onSelect({ from: offsetIn(this.#given, from), to: offsetIn(this.#given, to), top: at.bottom - box.top, left: at.left - box.left });
    });
  }

  /** A click below the last block goes on after it. */
  #endClicked(position: number, { clientY }: MouseEvent): boolean {
    const { state, dom } = this.#view;
    const last = dom.lastElementChild;
    if (last === null || clientY <= last.getBoundingClientRect().bottom || position < state.doc.content.size - 2 || !this.#isWritable) return false;
    if (state.doc.lastChild?.type === schema.nodes.paragraph) return false;
    const tr = state.tr.insert(state.doc.content.size, schema.nodes.paragraph.create());
    this.#view.dispatch(tr.setSelection(TextSelection.atEnd(tr.doc)).scrollIntoView());
    return true;
  }

  #askImage(at: number): boolean {
    this.#view.dispatch(this.#view.state.tr.setSelection(NodeSelection.create(this.#view.state.doc, at)));
    this.run("image");
    return true;
  }
}

function normalized(text: string): string {
  return text.replace(/\r\n?/g, "\n");
}

function lineEnd(text: string): string {
  return /\r\n?/.exec(text)?.[0] ?? "\n";
}

/** The place in a text of a place in the same text whose lines end with one character. */
function offsetIn(text: string, offset: number): number {
  if (!text.includes("\r")) return offset;
  let at = 0;
  for (let left = offset; left > 0; left--) at += text.startsWith("\r\n", at) ? 2 : 1;
  return at;
}

/** Open a link with the key that opens links elsewhere. */
function follow({ target, ctrlKey, metaKey }: MouseEvent): boolean {
  const link = target instanceof Element ? target.closest("a[href]") : null;
  const address = link?.getAttribute("href") ?? "";
  if (!(ctrlKey || metaKey) || !/^(?:https?:|mailto:)/i.test(address)) return false;
  window.open(address, "_blank", "noopener,noreferrer");
  return true;
}

interface Difference {
  readonly from: number;
  readonly to: number;
  readonly fromNew: number;
  readonly toNew: number;
}

/** The runs of blocks that differ, by the numbers of their blocks. */
function differingBlocks(before: Node, after: Node): Difference[] {
  let start = 0;
  while (start < before.childCount && start < after.childCount && before.child(start).eq(after.child(start))) start++;
  let end = 0;
  while (end < before.childCount - start && end < after.childCount - start && before.child(before.childCount - 1 - end).eq(after.child(after.childCount - 1 - end))) end++;
  const [rows, columns] = [before.childCount - start - end, after.childCount - start - end];
  if (rows === 0 && columns === 0) return [];
  const whole = { from: start, to: start + rows, fromNew: start, toNew: start + columns };
  if (rows > MAX_COMPARED_BLOCKS || columns > MAX_COMPARED_BLOCKS || rows === 0 || columns === 0) return [whole];
  const numberOf = numbering();
  const rowNumbers = before.children.slice(whole.from, whole.to).map(numberOf);
  const columnNumbers = after.children.slice(whole.fromNew, whole.toNew).map(numberOf);
  const isSame = (row: number, column: number) => rowNumbers[row] === columnNumbers[column];
  const lengths = Array.from({ length: rows + 1 }, () => new Uint16Array(columns + 1));
  const longest = (row: number, column: number) => lengths[row]?.[column] ?? 0;
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      (lengths[row] as Uint16Array)[column] = isSame(row, column) ? longest(row + 1, column + 1) + 1 : Math.max(longest(row + 1, column), longest(row, column + 1));
    }
  }
  const found: Difference[] = [];
  let [row, column, from, fromNew] = [0, 0, 0, 0];
  const close = () => {
    if (row > from || column > fromNew) found.push({ from: start + from, to: start + row, fromNew: start + fromNew, toNew: start + column });
  };
  while (row < rows && column < columns) {
    if (isSame(row, column)) {
      close();
      row++;
      column++;
      [from, fromNew] = [row, column];
    } else if (longest(row + 1, column) >= longest(row, column + 1)) row++;
    else column++;
  }
  [row, column] = [rows, columns];
  close();
  return found;
}

/** Numbers blocks: those that are equal have the same number. */
function numbering(): (block: Node) => number {
  let count = 0;
  const numbers = new Map<string, [Node, number][]>();
  return (block) => {
    const alike = numbers.get(block.textContent) ?? [];
    numbers.set(block.textContent, alike);
    const known = alike.find(([other]) => other.eq(block));
    if (known !== undefined) return known[1];
    alike.push([block, count]);
    return count++;
  };
}

/** Replace blocks by others; of those that are alike only what differs. */
function replaceBlocks(tr: Transaction, from: number, to: number, wanted: Node, fromNew: number, toNew: number): void {
  const { doc } = tr;
  let base = 0;
  for (let at = 0; at < from; at++) base += doc.child(at).nodeSize;
  const before = Fragment.from(doc.children.slice(from, to));
  const after = Fragment.from(wanted.children.slice(fromNew, toNew));
  const start = before.findDiffStart(after);
  const ends = before.findDiffEnd(after);
  if (start === null || ends === null) return;
  const overlap = Math.max(0, start - Math.min(ends.a, ends.b));
  const [end, endNew] = [ends.a + overlap, ends.b + overlap];
  const isAlike = from + 1 === to && fromNew + 1 === toNew && before.firstChild?.type === after.firstChild?.type && before.firstChild?.isTextblock === true;
  if (isAlike && start > 0 && end < before.size && endNew < after.size) tr.replace(base + start, base + end, wanted.type.create(null, after).slice(start, endNew));
  else tr.replaceWith(base, base + before.size, after);
}
