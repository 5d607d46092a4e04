// Imports of conversations from another assistant's export.

import { Resource } from "./resource.ts";
import type { Frame, Reply } from "./wire.ts";

/** What an uploaded export contains. */
export type ImportPreview = Reply<"/api/imports", "post", 201>;

/** An event of an import: progress, then the result or an error. */
export type ImportFrame = Frame<"/api/imports/{id}", "post">;

export type ImportResult = Extract<ImportFrame, { readonly finished: unknown }>["finished"];

export interface ImportChoices {
  /** Its settings go in place of those here. */
  readonly replacesSettings: boolean;
  /** The skills that were on are switched on. */
  readonly switchesSkillsOn: boolean;
}

export class ImportCalls extends Resource {
  /** Upload an export for a preview; `progress` is called with the share that was sent. */
  upload(file: File, progress: (share: number) => void, signal: AbortSignal): Promise<ImportPreview> {
    return this.client.upload(`/api/imports?${new URLSearchParams({ name: file.name })}`, file, progress, signal);
  }

  /** Import what the export holds; the response streams the progress. */
  run(id: string, { replacesSettings, switchesSkillsOn }: ImportChoices, signal: AbortSignal): Promise<Response> {
    const query = `replace_settings=${replacesSettings}&switch_skills_on=${switchesSkillsOn}`;
    return this.client.request("POST", `/api/imports/${id}?${query}`, undefined, signal);
  }

  drop(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/imports/${id}`);
  }
}
