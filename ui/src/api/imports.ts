// Imports of conversations from another assistant's export.

import { Resource } from "./resource.ts";
import type { Frame, Reply } from "./wire.ts";

/** What an uploaded export contains. */
export type ImportPreview = Reply<"/api/imports", "post", 201>;

/** An event of an import: progress, then the result or an error. */
export type ImportFrame = Frame<"/api/imports/{id}", "post">;

export type ImportResult = Extract<ImportFrame, { readonly finished: unknown }>["finished"];

export class ImportCalls extends Resource {
  /** Upload an export for a preview; `progress` is called with the share that was sent. */
  upload(file: File, progress: (share: number) => void, signal: AbortSignal): Promise<ImportPreview> {
    return this.client.upload(`/api/imports?${new URLSearchParams({ name: file.name })}`, file, progress, signal);
  }

  /** Import what the export holds, and its settings in place of those here; the response streams the progress. */
  run(id: string, replacesSettings: boolean, signal: AbortSignal): Promise<Response> {
    return this.client.request("POST", `/api/imports/${id}?replace_settings=${replacesSettings}`, undefined, signal);
  }

  drop(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/imports/${id}`);
  }
}
