// Suggestions while a command, a model or a library is being typed, and what choosing one does.

import type { Library } from "../../api/libraries.ts";
import { t } from "../../lib/i18n/translate.ts";
import { locationName } from "../../lib/location.ts";
import { type BlankText, blankText } from "../../lib/prompts.ts";
import { findTrigger, matchOptions } from "./trigger.ts";
import { ACTIONS } from "../../state/actions.ts";
import type { App } from "../../state/app.svelte.ts";
import type { Conversation } from "../../state/conversation.svelte.ts";
import type { Option } from "./Autocomplete.svelte";

export interface Field {
  read(): { readonly app: App; readonly conversation: Conversation; readonly caret: number; readonly focused: boolean };
  /** Focus the text field, at a position. */
  focusField(at: number): Promise<void>;
  /** Ask for the blanks of a prompt. */
  fillVariables(prompt: BlankText): void;
}

export class Autocompletion {
  /** The index of the highlighted suggestion. */
  active = $state(0);
  readonly #field: Field;
  /** The text in which the person closed the list. */
  #closed = $state<string | null>(null);
  readonly #trigger = $derived.by(() => {
    const { conversation, caret, focused } = this.#field.read();
    return !focused || conversation.draft === this.#closed ? null : findTrigger(conversation.draft, caret);
  });
  readonly options = $derived.by(() => {
    const trigger = this.#trigger;
    return trigger === null ? [] : matchOptions(trigger.kind === "mention" ? [...this.#models(), ...this.#libraries()] : this.#commands(), trigger.words);
  });
  readonly label = $derived(this.#trigger?.kind === "mention" ? t("mentions") : t("slashList"));

  constructor(field: Field) {
    this.#field = field;
  }

  /** The text has changed. */
  reset(): void {
    this.active = 0;
    this.#closed = null;
  }

  /** True where the list has handled the key. */
  handleKey({ key, shiftKey, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
    const { length } = this.options;
    if (length === 0 || shiftKey || ctrlKey || metaKey || altKey) return false;
    if (key === "ArrowDown") this.active = (this.active + 1) % length;
    else if (key === "ArrowUp") this.active = (this.active + length - 1) % length;
    else if (key === "Enter" || key === "Tab") this.options[this.active]?.choose();
    else if (key === "Escape") this.#closed = this.#field.read().conversation.draft;
    else return false;
    return true;
  }

  #models(): Option[] {
    const { app, conversation } = this.#field.read();
    const choose = async (id: string) => {
      conversation.setNextModel(id);
      await this.#replaceTrigger("");
    };
    return app.models.map((model) => {
      const { id, name } = model;
      const hint = [id === name ? "" : id, model.place === "machine" ? "" : locationName(model.place)].filter((part) => part !== "");
      return { id, name, hint: hint.join(" · "), choose: () => void choose(id) };
    });
  }

  /** A temporary chat searches no libraries: the server must not get anything that it would store. */
  #libraries(): Option[] {
    const { app, conversation } = this.#field.read();
    if (conversation.temporary) return [];
    const choose = async (library: Library) => {
      conversation.setLibrary(library);
      await this.#replaceTrigger("");
    };
    return app.libraries.all.map((library) => {
      const hint = `${t("library")} · ${t("filesCount", { count: library.files })}`;
      return { id: library.id, name: library.name, hint, choose: () => void choose(library) };
    });
  }

  #commands(): Option[] {
    const { app, conversation } = this.#field.read();
    const actions = ACTIONS.filter((action) => action.slash && action.enabled(app)).map((action) => ({
      id: action.id,
      name: `/${action.id}`,
      hint: t(action.label),
      choose() {
        conversation.write("");
        void action.run(app);
      },
    }));
    const prompts = app.prompts.all.map((saved) => ({
      id: saved.id,
      name: `/${saved.name}`,
      hint: saved.owner === null ? t("savedPrompt") : t("promptSharedBy", { name: saved.owner }),
      choose: () => void this.#choosePrompt(blankText(saved)),
    }));
    const served = app.mcp.prompts.map((offer) => ({ ...offer, choose: () => void this.#choosePrompt(offer.blank) }));
    return [...actions, ...prompts, ...served];
  }

  async #choosePrompt(prompt: BlankText): Promise<void> {
    if (prompt.blanks.length === 0) {
      const { conversation } = this.#field.read();
      try {
        return await this.#replaceTrigger(await prompt.write({}));
      } catch (error) {
        return conversation.showError(error);
      }
    }
    await this.#replaceTrigger("");
    this.#field.fillVariables(prompt);
  }

  /** Replace the text that was typed for it. */
  async #replaceTrigger(text: string): Promise<void> {
    const { conversation, caret } = this.#field.read();
    const from = this.#trigger?.from ?? 0;
    const { draft } = conversation;
    const before = draft.slice(0, from);
    conversation.write(before + text + draft.slice(Math.max(from, caret)));
    await this.#field.focusField(before.length + text.length);
  }
}
