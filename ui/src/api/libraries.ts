// Libraries: named collections of files.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** A library; `waiting` counts files not read yet, `failed` those that can't be read. */
export type Library = Reply<"/api/libraries", "get">[number];

export class LibraryCalls extends Resource {
  list(): Promise<readonly Library[]> {
    return this.client.call("GET", "/api/libraries");
  }

  add(name: string): Promise<Library> {
    return this.client.call("POST", "/api/libraries", { name });
  }

  rename(id: string, name: string): Promise<Library> {
    return this.client.call("PATCH", `/api/libraries/${id}`, { name });
  }

  /** Delete a library with its files. */
  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/libraries/${id}`);
  }
}
