// Short notices of what was done, with an undo where that is possible.

const SHOWN_MS = 12_000;
const MAX_NOTICES = 3;

export interface Notice {
  readonly text: string;
  readonly undo: (() => Promise<void>) | null;
}

export class Notices {
  all = $state.raw<readonly Notice[]>([]);
  readonly #timers = new Map<Notice, ReturnType<typeof setTimeout>>();

  show(text: string, undo: (() => Promise<void>) | null = null): void {
    const notice = { text, undo };
    for (const old of this.all.slice(0, -(MAX_NOTICES - 1))) this.dismiss(old);
    this.all = [...this.all, notice];
    this.#start(notice);
  }

  dismiss(notice: Notice): void {
    clearTimeout(this.#timers.get(notice));
    this.#timers.delete(notice);
    this.all = this.all.filter((other) => other !== notice);
  }

  /** Undo the action of this notice, or of the newest that can be undone; false where there is none. */
  undo(notice = this.all.findLast(({ undo }) => undo !== null)): boolean {
    if (notice === undefined || notice.undo === null) return false;
    this.dismiss(notice);
    void this.#run(notice.undo);
    return true;
  }

  /** Keep the notices while the person points at them. */
  hold(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  release(): void {
    for (const notice of this.all) this.#start(notice);
  }

  async #run(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.show(error instanceof Error ? error.message : String(error));
    }
  }

  #start(notice: Notice): void {
    clearTimeout(this.#timers.get(notice));
    this.#timers.set(notice, setTimeout(() => this.dismiss(notice), SHOWN_MS));
  }
}
