// The editor of canvases for text as it is written: CodeMirror in a shadow root, whose own styles our policy leaves alone.

import { defaultKeymap, history, historyKeymap, indentWithTab, isolateHistory } from "@codemirror/commands";
import { bracketMatching, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { unifiedMergeView } from "@codemirror/merge";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Annotation, Compartment, EditorSelection, EditorState, type Extension, Transaction } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { nextTask } from "../nextTask.ts";
import { grammarOf } from "./grammars.ts";
import { isProse } from "./languages.ts";
import { difference, type Selected } from "./patches.ts";
import { codeColors, editorTheme, proseColors } from "./theme.ts";

export { grammarOf } from "./grammars.ts";

export interface EditorOptions {
  readonly language: string;
  /** The name of the text field, for screen readers. */
  readonly label: string;
  onInput(text: string): void;
  /** Null where nothing is selected. */
  onSelect(selected: Selected | null): void;
  onSave(): void;
}

/** Marks changes that come from elsewhere than the keyboard. */
const fromElsewhere = Annotation.define<boolean>();
const MAX_DIFF_MS = 20;

export class CanvasEditor {
  readonly #view: EditorView;
  readonly #grammar = new Compartment();
  readonly #writable = new Compartment();
  readonly #comparison = new Compartment();
  #compared: string | null = null;
  #isOffered = false;

  constructor(host: HTMLElement, text: string, { language, label, onInput, onSelect, onSave }: EditorOptions) {
    const root = host.attachShadow({ mode: "open" });
    const report = EditorView.updateListener.of((update) => {
      if (update.docChanged && !update.transactions.some((change) => change.annotation(fromElsewhere))) onInput(update.state.doc.toString());
      if (update.selectionSet || update.docChanged || update.focusChanged) onSelect(this.#selected());
    });
    const save = { key: "Mod-s", preventDefault: true, run: () => (onSave(), true) };
    const extensions: Extension[] = [
      this.#comparison.of([]),
      history(),
      drawSelection(),
      indentOnInput(),
      search({ top: true }),
      EditorState.allowMultipleSelections.of(true),
      keymap.of([save, ...searchKeymap, ...historyKeymap, ...defaultKeymap, ...(isProse(language) ? [] : [indentWithTab])]),
      EditorView.contentAttributes.of({ "aria-label": label, spellcheck: String(isProse(language)), dir: isProse(language) ? "auto" : "ltr" }),
      editorTheme,
      isProse(language) ? [EditorView.lineWrapping, syntaxHighlighting(proseColors), EditorView.editorAttributes.of({ class: "prose" })] : codeExtensions(),
      this.#grammar.of([]),
      this.#writable.of([]),
      report,
    ];
    this.#view = new EditorView({ parent: root, root, state: EditorState.create({ doc: text, extensions }) });
    void this.#loadGrammar(language);
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  /** Put another text in place; what stays the same isn't touched, nor is the selection there. As a change of `compared`
   * it is shown with words that are gone and new. Undoing takes back a change that was `isOffered` and accepted, as a
   * whole, and nothing else that comes here. */
  show(text: string, compared: string | null, isOffered: boolean): void {
    const [before, settled, wasOffered] = [this.#compared, compared ?? text, this.#isOffered];
    this.#compare(compared);
    this.#isOffered = isOffered;
    if (before !== null && before !== settled && wasOffered) {
      this.#replace(before, false);
      this.#replace(settled, true);
    }
    this.#replace(text, false);
  }

  setWritable(isWritable: boolean): void {
    const closed = [EditorState.readOnly.of(true), EditorView.editable.of(false), EditorView.contentAttributes.of({ tabindex: "0" })];
    this.#view.dispatch({ effects: this.#writable.reconfigure(isWritable ? [] : closed) });
  }

  focus(): void {
    this.#view.focus();
  }

  /** Put the cursor at the end of a range, without selecting it. */
  deselect(): void {
    this.#view.dispatch({ selection: EditorSelection.cursor(this.#view.state.selection.main.to) });
  }

  destroy(): void {
    this.#view.destroy();
  }

  #replace(text: string, isAccepted: boolean): void {
    const { from, to, insert } = difference(this.text, text);
    if (from === to && insert === "") return;
    const annotations = [fromElsewhere.of(true), Transaction.addToHistory.of(isAccepted), isolateHistory.of("full")];
    this.#view.dispatch({ changes: { from, to, insert }, annotations });
  }

  #compare(before: string | null): void {
    if (before === this.#compared) return;
    this.#compared = before;
    const view = before === null ? [] : unifiedMergeView({ original: before, mergeControls: false, gutter: false, diffConfig: { timeout: MAX_DIFF_MS } });
    this.#view.dispatch({ effects: this.#comparison.reconfigure(view) });
  }

  async #loadGrammar(language: string): Promise<void> {
    const grammar = await grammarOf(language);
    await nextTask();
    this.#view.dispatch({ effects: this.#grammar.reconfigure(grammar ?? []) });
  }

  #selected(): Selected | null {
    const { from, to, head } = this.#view.state.selection.main;
    if (from === to) return null;
    const at = this.#view.coordsAtPos(head);
    const box = this.#view.dom.getBoundingClientRect();
    return { from, to, top: at === null ? 0 : at.bottom - box.top, left: at === null ? 0 : at.left - box.left };
  }
}

function codeExtensions(): Extension {
  return [lineNumbers(), highlightActiveLine(), bracketMatching(), highlightSelectionMatches(), syntaxHighlighting(codeColors), EditorView.editorAttributes.of({ class: "source" })];
}
