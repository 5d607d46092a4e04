// Toasts: short messages about what was done, with an undo where that is possible.

const SHOWN_MS = 12_000;
const MAX_TOASTS = 3;

export interface Toast {
  readonly text: string;
  readonly undo: (() => Promise<void>) | null;
}

export class Toasts {
  all = $state.raw<readonly Toast[]>([]);
  readonly #timers = new Map<Toast, ReturnType<typeof setTimeout>>();

  show(text: string, undo: (() => Promise<void>) | null = null): void {
    const toast = { text, undo };
    for (const old of this.all.slice(0, -(MAX_TOASTS - 1))) this.dismiss(old);
    this.all = [...this.all, toast];
    this.#start(toast);
  }

  dismiss(toast: Toast): void {
    clearTimeout(this.#timers.get(toast));
    this.#timers.delete(toast);
    this.all = this.all.filter((other) => other !== toast);
  }

  /** Undo the action of this toast, or of the newest that can be undone; false where there is none. */
  undo(toast = this.all.findLast(({ undo }) => undo !== null)): boolean {
    if (toast === undefined || toast.undo === null) return false;
    this.dismiss(toast);
    void this.#run(toast.undo);
    return true;
  }

  /** Keep the toasts while the person points at them. */
  hold(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  release(): void {
    for (const toast of this.all) this.#start(toast);
  }

  async #run(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.show(error instanceof Error ? error.message : String(error));
    }
  }

  #start(toast: Toast): void {
    clearTimeout(this.#timers.get(toast));
    this.#timers.set(toast, setTimeout(() => this.dismiss(toast), SHOWN_MS));
  }
}
