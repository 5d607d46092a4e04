// Shows formulas within words as they will look, to those who see them; others have their text. At the cursor they are
// text for all.

import type { Node } from "prosemirror-model";
import { type EditorState, Plugin, TextSelection } from "prosemirror-state";
import { Decoration, DecorationSet, type EditorView } from "prosemirror-view";
import { patch } from "../../markdown/patch.ts";
import { html, lex } from "../../markdown/render.ts";
import { schema } from "./schema.ts";

interface Formula {
  /** The offset of its beginning in its block. */
  readonly at: number;
  readonly text: string;
}

/** Formulas by the block that they are in. */
const formulas = new WeakMap<Node, readonly Formula[]>();

export const typesetFormulas = new Plugin<DecorationSet>({
  state: {
    init: (_config, state) => decorations(state),
    apply: (transaction, shown, _before, state) => (transaction.docChanged || transaction.selectionSet ? decorations(state) : shown),
  },
  props: {
    decorations(state) {
      return this.getState(state);
    },
  },
});

function decorations({ doc, selection: { anchor, head } }: EditorState): DecorationSet {
  const found: Decoration[] = [];
  doc.descendants((block, position) => {
    if (!block.isTextblock) return true;
    for (const { at, text } of formulasIn(block)) {
      const from = position + 1 + at;
      const to = from + text.length;
      if ([anchor, head].some((end) => end >= from && end <= to)) continue;
      found.push(Decoration.inline(from, to, { class: "visually-hidden" }));
      found.push(Decoration.widget(to, (view, place) => typeset(text, view, place), { side: -1, marks: [], key: text, ignoreSelection: true, stopEvent: () => true }));
    }
    return false;
  });
  return DecorationSet.create(doc, found);
}

function formulasIn(block: Node): readonly Formula[] {
  const known = formulas.get(block);
  if (known !== undefined) return known;
  const found: Formula[] = [];
  block.forEach(({ text, marks }, at) => {
    if (text !== undefined && schema.marks.source.isInSet(marks) !== undefined && isFormula(text)) found.push({ at, text });
  });
  formulas.set(block, found);
  return found;
}

/** True for a single formula. */
function isFormula(text: string): boolean {
  if (!/^(?:\$|\\[([])/.test(text)) return false;
  const { tokens } = lex(text, {});
  const [only] = tokens.length === 1 && tokens[0]?.type === "paragraph" ? (tokens[0].tokens ?? []) : tokens;
  return only?.raw === text && (only.type === "inline" || only.type === "display") && typeof (only as { tex?: unknown }).tex === "string";
}

function typeset(text: string, view: EditorView, place: () => number | undefined): HTMLElement {
  const dom = document.createElement("span");
  dom.className = "formula";
  dom.contentEditable = "false";
  dom.setAttribute("aria-hidden", "true");
  patch(dom, html(lex(text, {}).tokens).trim());
  dom.addEventListener("mousedown", (event) => {
    const at = place();
    if (at === undefined || event.button !== 0) return;
    event.preventDefault();
    view.dispatch(view.state.tr.setSelection(TextSelection.create(view.state.doc, at - (text.startsWith("\\") || text.startsWith("$$") ? 2 : 1))));
    view.focus();
  });
  return dom;
}
