// Markdown as it will look, in the editor: headings are large, and marks are hidden but for the line that is edited.

import { syntaxTree } from "@codemirror/language";
import type { EditorState, Extension, Range } from "@codemirror/state";
import { Decoration, type DecorationSet, type EditorView, ViewPlugin, type ViewUpdate } from "@codemirror/view";

const HIDDEN = new Set(["HeaderMark", "EmphasisMark", "StrikethroughMark", "LinkMark", "URL", "QuoteMark"]);
const LINES: Readonly<Record<string, string>> = {
  ATXHeading1: "cm-h1",
  ATXHeading2: "cm-h2",
  ATXHeading3: "cm-h3",
  ATXHeading4: "cm-h3",
  ATXHeading5: "cm-h3",
  ATXHeading6: "cm-h3",
  SetextHeading1: "cm-h1",
  SetextHeading2: "cm-h2",
  Blockquote: "cm-quote",
  FencedCode: "cm-fence",
  Table: "cm-fence",
};
const hide = Decoration.replace({});
const bullet = Decoration.mark({ class: "cm-bullet" });

function decorate({ state, visibleRanges, hasFocus }: EditorView): DecorationSet {
  const found: Range<Decoration>[] = [];
  for (const { from, to } of visibleRanges) {
    syntaxTree(state).iterate({
      from,
      to,
      enter({ name, from: start, to: end, node }) {
        const style = LINES[name];
        if (style !== undefined) decorateLines(state, start, end, style, found);
        if (name === "ListMark" && end - start === 1) found.push(bullet.range(start, end));
        if (!HIDDEN.has(name) || (hasFocus && isEdited(state, start, end))) return;
        if (name === "URL" && node.parent?.name !== "Link") return;
        const after = (name === "HeaderMark" || name === "QuoteMark") && state.sliceDoc(end, end + 1) === " " ? end + 1 : end;
        if (after > start && state.doc.lineAt(start).to >= after) found.push(hide.range(start, after));
      },
    });
  }
  return Decoration.set(found, true);
}

function decorateLines(state: EditorState, from: number, to: number, style: string, found: Range<Decoration>[]): void {
  const decoration = Decoration.line({ class: style });
  for (let line = state.doc.lineAt(from); ; line = state.doc.line(line.number + 1)) {
    found.push(decoration.range(line.from));
    if (line.to >= to || line.number === state.doc.lines) return;
  }
}

/** The selection touches the line of this range. */
function isEdited(state: EditorState, from: number, to: number): boolean {
  const line = state.doc.lineAt(from);
  return state.selection.ranges.some((range) => range.from <= Math.max(line.to, to) && range.to >= line.from);
}

export const livePreview: Extension = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;

    constructor(view: EditorView) {
      this.decorations = decorate(view);
    }

    update(update: ViewUpdate): void {
      if (update.docChanged || update.viewportChanged || update.selectionSet || update.focusChanged || syntaxTree(update.startState) !== syntaxTree(update.state)) {
        this.decorations = decorate(update.view);
      }
    }
  },
  { decorations: (plugin) => plugin.decorations },
);
