// What a person does with the conversations in the list, what is asked for it, and how it is undone.

import type { Conversation } from "../api/events.ts";
import { t } from "../lib/i18n/translate.ts";
import type { App } from "./app.svelte.ts";
import { Notices } from "./notices.svelte.ts";

/** The dialog that is open. */
export type OpenDialog =
  | { readonly what: "export" | "share" | "tags"; readonly conversation: Conversation }
  | { readonly what: "import" }
  | { readonly what: "licence"; readonly name: string; readonly text: string };

export class ConversationActions {
  readonly notices = new Notices();
  asked = $state.raw<OpenDialog | null>(null);
  readonly #app: App;

  constructor(app: App) {
    this.#app = app;
  }

  async pin(conversation: Conversation): Promise<void> {
    await this.#attempt(() => this.#list.change(conversation.id, { pinned: !conversation.pinned }));
  }

  async archive({ id, archived, title }: Conversation): Promise<void> {
    const name = title || t("untitled");
    await this.#attempt(async () => {
      await this.#list.change(id, { archived: !archived });
      const undo = async () => void (await this.#list.change(id, { archived }));
      this.notices.tell(archived ? t("unarchived", { title: name }) : t("archivedNow", { title: name }), undo);
    });
  }

  /** Delete it, and offer for a while to bring it back. */
  async remove({ id, title }: Conversation): Promise<void> {
    const open = this.#app.current.id === id;
    await this.#attempt(async () => {
      await this.#app.remove(id);
      this.notices.tell(t("removed", { title: title || t("untitled") }), async () => {
        await this.#list.restore(id);
        if (open) this.#app.open(id);
      });
    });
  }

  get #list() {
    return this.#app.conversations;
  }

  async #attempt(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.notices.tell(error instanceof Error ? error.message : String(error));
    }
  }
}
