// An editor whose code is loaded with the first one. Loading, building and filling it are tasks of their own, between
// which the page answers to keys.

import { untrack } from "svelte";
import { nextTask } from "../../lib/nextTask.ts";

export class LazyEditor<Editor extends { destroy(): void }> {
  editor = $state.raw<Editor | null>(null);
  hasFailed = $state(false);
  readonly #load: () => Promise<(host: HTMLElement) => Editor>;
  readonly #onEnd: () => void;

  /** `load` gives what builds the editor; `onEnd` is told when it is gone. */
  constructor(load: () => Promise<(host: HTMLElement) => Editor>, onEnd: () => void) {
    this.#load = load;
    this.#onEnd = onEnd;
  }

  /** Put an editor into an element for as long as that is on the page. */
  readonly attach = (host: HTMLElement): (() => void) => {
    let built: Editor | null = null;
    let isOver = false;
    const begin = async (build: (host: HTMLElement) => Editor) => {
      await nextTask();
      if (!isOver) built = build(host);
      await nextTask();
      if (!isOver) this.editor = built;
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
