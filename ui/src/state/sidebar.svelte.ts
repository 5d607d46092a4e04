// The sidebar on a wide screen: shown or hidden, as this browser remembers.

import { tick } from "svelte";
import { readStored, writeStored } from "../lib/storage.ts";

const STORED = "eclair.sidebar";

export class Sidebar {
  hidden = $state(readStored(STORED) === "hidden");

  /** Show or hide it. A focus that would vanish with it goes to the button that brings it back, and the other way. */
  async toggle(): Promise<void> {
    this.hidden = !this.hidden;
    writeStored(STORED, this.hidden ? "hidden" : null);
    const before = document.activeElement;
    await tick();
    if (before?.checkVisibility() !== true) document.getElementById(this.hidden ? "show-sidebar" : "hide-sidebar")?.focus();
  }
}
