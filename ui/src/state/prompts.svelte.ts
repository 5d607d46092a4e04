// Saved prompts, which the message field offers and the settings change.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import { PromptCalls, type PromptText, type SavedPrompt } from "../api/prompts.ts";

export class Prompts {
  all = $state.raw<readonly SavedPrompt[]>([]);
  readonly #calls: PromptCalls;

  constructor({ client }: Api) {
    this.#calls = new PromptCalls(client);
  }

  async refresh(): Promise<void> {
    try {
      this.all = await this.#calls.list();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the connection is lost, which the page shows elsewhere
    }
  }

  /** Add a prompt, or change the one with that id; throws the server's objection, as `remove` does. */
  async save(id: string | null, prompt: PromptText): Promise<SavedPrompt> {
    const saved = await (id === null ? this.#calls.add(prompt) : this.#calls.edit(id, prompt));
    await this.refresh();
    return saved;
  }

  async remove(id: string): Promise<void> {
    await this.#calls.remove(id);
    await this.refresh();
  }
}
