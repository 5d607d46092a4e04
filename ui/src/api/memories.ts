// Memories: sentences that later conversations are to know.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type Memory = Reply<"/api/memories", "get">["memories"][number];

export class MemoryCalls extends Resource {
  async list(): Promise<readonly Memory[]> {
    return (await this.client.call<Reply<"/api/memories", "get">>("GET", "/api/memories")).memories;
  }

  /** Keep a sentence, for one project alone if it is named. */
  add(text: string, project: string | null = null): Promise<Memory> {
    return this.client.call("POST", "/api/memories", { text, ...(project !== null && { project_id: project }) });
  }

  edit(id: string, text: string): Promise<Memory> {
    return this.client.call("PATCH", `/api/memories/${id}`, { text });
  }

  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/memories/${id}`);
  }

  async removeAll(): Promise<void> {
    await this.client.call("DELETE", "/api/memories");
  }
}
