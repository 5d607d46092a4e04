// Imports of conversations from another assistant's export.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** What an uploaded export contains. */
export type ImportPreview = Reply<"/api/imports", "post", 201>;

/** The last event of an import. */
export interface ImportResult {
  readonly conversations: number;
  readonly messages: number;
  readonly skipped: number;
  readonly problems: readonly string[];
}

export class ImportCalls extends Resource {
  /** Upload an export for a preview; `progress` is called with the share that was sent. */
  upload(file: File, progress: (share: number) => void, signal: AbortSignal): Promise<ImportPreview> {
    return this.client.upload(`/api/imports?${new URLSearchParams({ name: file.name })}`, file, progress, signal);
  }

  /** Import the conversations of the export; the response streams the progress. */
  run(id: string, signal: AbortSignal): Promise<Response> {
    return this.client.request("POST", `/api/imports/${id}`, undefined, signal);
  }

  drop(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/imports/${id}`);
  }
}
