// Folders of conversations.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** A folder with the number of conversations in it, without archived ones. */
export type Folder = Reply<"/api/folders", "get">[number];

export class FolderCalls extends Resource {
  list(): Promise<readonly Folder[]> {
    return this.client.call("GET", "/api/folders");
  }

  add(name: string): Promise<Folder> {
    return this.client.call("POST", "/api/folders", { name });
  }

  rename(id: string, name: string): Promise<Folder> {
    return this.client.call("PATCH", `/api/folders/${id}`, { name });
  }

  /** Delete a folder and keep its conversations. */
  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/folders/${id}`);
  }
}
