// Pins, archives and deletes conversations, with undo.

import type { Conversation } from "../api/events.ts";
import type { Project } from "../api/projects.ts";
import { t } from "../lib/i18n/translate.ts";
import type { Conversations } from "./conversations.svelte.ts";
import type { Toasts } from "./toasts.svelte.ts";

/** What the actions need of the app. */
export interface ConversationHost {
  readonly conversations: Pick<Conversations, "change" | "projects" | "refresh" | "restore">;
  readonly toasts: Pick<Toasts, "show">;
  readonly current: { readonly id: string };
  open(id: string): void;
  remove(id: string): Promise<void>;
}

export class ConversationActions {
  readonly #host: ConversationHost;

  constructor(host: ConversationHost) {
    this.#host = host;
  }

  async pin({ id, pinned }: Conversation): Promise<void> {
    await this.#attempt(() => this.#host.conversations.change(id, { pinned: !pinned }));
  }

  async archive({ id, archived, title }: Conversation): Promise<void> {
    const { conversations, toasts } = this.#host;
    const name = title || t("untitled");
    await this.#attempt(async () => {
      await conversations.change(id, { archived: !archived });
      const undo = async () => void (await conversations.change(id, { archived }));
      toasts.show(archived ? t("unarchived", { title: name }) : t("archivedNow", { title: name }), undo);
    });
  }

  /** Move conversations to a project, `shown` to its members or not, or with null out of theirs, and offer to undo it. */
  async move(conversations: readonly Conversation[], project: string | null, shown = false): Promise<void> {
    const { conversations: list, toasts } = this.#host;
    await this.#attempt(async () => {
      for (const { id } of conversations) {
        await list.change(id, { project_id: project });
        if (shown && project !== null) await list.projects.show(id, project);
      }
      const name = list.projects.all.find(({ id }) => id === project)?.name;
      toasts.show(name === undefined ? t("movedOutOfProject") : t("movedToProject", { name }), async () => {
        for (const { id, project_id: before } of conversations) await list.change(id, { project_id: before });
      });
    });
  }

  /** Delete a project, keep its conversations, and offer to undo it. */
  async removeProject({ id, name }: Project): Promise<void> {
    const { conversations: list, toasts } = this.#host;
    await this.#attempt(async () => {
      await list.projects.remove(id);
      await list.refresh(true);
      toasts.show(t("projectRemoved", { name }), async () => {
        await list.projects.restore(id);
        await list.refresh(true);
      });
    });
  }

  /** Archive several conversations, and offer to undo it. */
  async archiveAll(conversations: readonly Conversation[]): Promise<void> {
    const { conversations: list, toasts } = this.#host;
    await this.#attempt(async () => {
      for (const { id, archived } of conversations) await list.change(id, { archived: !archived });
      const key = conversations[0]?.archived === true ? "unarchivedCount" : "archivedCount";
      toasts.show(t(key, { count: conversations.length }), async () => {
        for (const { id, archived } of conversations) await list.change(id, { archived });
      });
    });
  }

  /** Delete several conversations, and offer to undo it. */
  async removeAll(conversations: readonly Conversation[]): Promise<void> {
    const host = this.#host;
    await this.#attempt(async () => {
      for (const { id } of conversations) await host.remove(id);
      host.toasts.show(t("removedCount", { count: conversations.length }), async () => {
        for (const { id } of conversations) await host.conversations.restore(id);
      });
    });
  }

  /** Delete a conversation, and offer to undo it. */
  async remove({ id, title }: Conversation): Promise<void> {
    const host = this.#host;
    const wasOpen = host.current.id === id;
    await this.#attempt(async () => {
      await host.remove(id);
      host.toasts.show(t("removed", { title: title || t("untitled") }), async () => {
        await host.conversations.restore(id);
        if (wasOpen) host.open(id);
      });
    });
  }

  async #attempt(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#host.toasts.show(error instanceof Error ? error.message : String(error));
    }
  }
}
