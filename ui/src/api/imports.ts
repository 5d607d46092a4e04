// Imports of conversations from the export of another assistant.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** A file that was uploaded to be imported, as it was understood. */
export type ImportPreview = Reply<"/api/imports", "post", 201>;

/** The last event of an import. */
export interface ImportResult {
  readonly conversations: number;
  readonly messages: number;
  readonly skipped: number;
  readonly problems: readonly string[];
}

export class ImportCalls extends Resource {
  /** Upload a file to be looked at; `progress` is called with the share that has gone. */
  upload(file: File, progress: (share: number) => void, signal: AbortSignal): Promise<ImportPreview> {
    return this.client.upload(`/api/imports?${new URLSearchParams({ name: file.name })}`, file, progress, signal);
  }

  /** Keep what the file holds; the response streams how far that is. */
  run(id: string, signal: AbortSignal): Promise<Response> {
    return this.client.request("POST", `/api/imports/${id}`, undefined, signal);
  }

  drop(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/imports/${id}`);
  }
}
