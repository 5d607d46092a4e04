// An editor whose code is loaded with the first one. Loading, building and filling it are tasks of their own, between
// which the page answers to keys.

import { tick, untrack } from "svelte";
import { nextTask } from "../../lib/nextTask.ts";

export class LazyEditor<Editor extends { focus(): void; destroy(): void }> {
  editor = $state.raw<Editor | null>(null);
  hasFailed = $state(false);
  readonly #load: () => Promise<(host: HTMLElement) => Editor>;
  readonly #onEnd: () => void;
  #isFocusDue = false;

  /** `load` gives what builds the editor; `onEnd` is told when it is gone. */
  constructor(load: () => Promise<(host: HTMLElement) => Editor>, onEnd: () => void) {
    this.#load = load;
    this.#onEnd = onEnd;
  }

  /** Move the focus there; once it is built, unless the focus is elsewhere by then. */
  focus(): void {
    if (this.editor === null) this.#isFocusDue = true;
    else this.editor.focus();
  }

  /** Put an editor into an element for as long as that is on the page. */
  readonly attach = (host: HTMLElement): (() => void) => {
    let built: Editor | null = null;
    let isOver = false;
    const begin = async (build: (host: HTMLElement) => Editor) => {
      await nextTask();
      if (!isOver) built = build(host);
      await nextTask();
      if (isOver) return;
      this.editor = built;
      await tick();
      if (this.#isFocusDue && document.activeElement?.contains(host)) this.editor?.focus();
      this.#isFocusDue = false;
    };
    void untrack(this.#load).then(begin, () => (this.hasFailed = true));
    return () => {
      isOver = true;
      built?.destroy();
      this.editor = null;
      this.#onEnd();
    };
  };
}
