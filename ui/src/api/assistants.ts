// Assistants: those of the person, and those that are shared with them.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

/** An assistant. `owner` names whose it is; null where it is the person's own. */
export type Assistant = Reply<"/api/assistants", "get">["assistants"][number];

/** The fields of an assistant that a person fills in. */
export type AssistantFields = Body<"/api/assistants", "post">;

/** An imported assistant, and what its file has besides. */
export type ImportedAssistant = Reply<"/api/assistants/import", "post", 201>;

export class AssistantCalls extends Resource {
  async list(): Promise<readonly Assistant[]> {
    return (await this.client.call<Reply<"/api/assistants", "get">>("GET", "/api/assistants")).assistants;
  }

  get(id: string): Promise<Assistant> {
    return this.client.call("GET", `/api/assistants/${id}`);
  }

  /** Add an assistant, or change the one with that id. */
  save(id: string | null, fields: AssistantFields): Promise<Assistant> {
    return id === null ? this.client.call("POST", "/api/assistants", fields) : this.client.call("PUT", `/api/assistants/${id}`, fields);
  }

  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/assistants/${id}`);
  }

  export(id: string): Promise<Response> {
    return this.client.request("GET", `/api/assistants/${id}/export`);
  }

  /** Add the assistant of a JSON file, or of a zip that has its files too. */
  import(file: File): Promise<ImportedAssistant> {
    return this.client.upload("/api/assistants/import", file, () => {}, new AbortController().signal);
  }

  /** Make the assistant’s own library, if it has none, and return its id. */
  async openLibrary(id: string): Promise<string> {
    return (await this.client.call<Reply<"/api/assistants/{id}/library", "put">>("PUT", `/api/assistants/${id}/library`)).library;
  }
}
