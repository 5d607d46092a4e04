// Saved prompts: those of the person, and those that are shared with them.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** A saved prompt. `owner` names whose it is; null where it is the person's own. */
export type SavedPrompt = Reply<"/api/prompts", "get">[number];

/** What a person writes of a prompt. */
export type PromptText = Pick<SavedPrompt, "name" | "text">;

export class PromptCalls extends Resource {
  list(): Promise<readonly SavedPrompt[]> {
    return this.client.call("GET", "/api/prompts");
  }

  add(prompt: PromptText): Promise<SavedPrompt> {
    return this.client.call("POST", "/api/prompts", prompt);
  }

  edit(id: string, prompt: PromptText): Promise<SavedPrompt> {
    return this.client.call("PUT", `/api/prompts/${id}`, prompt);
  }

  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/prompts/${id}`);
  }
}
