// Canvases of a conversation, their versions, and streamed edits of their texts.

import { readFrames } from "./connection.ts";
import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

type CanvasPath = "/api/conversations/{id}/canvases/{canvas}";

/** A canvas with its versions, oldest first, and the text of the current one. */
export type CanvasContent = Reply<CanvasPath, "get">;
export type Canvas = CanvasContent["canvas"];
export type CanvasVersion = CanvasContent["versions"][number];
export type NewCanvas = Body<"/api/conversations/{id}/canvases", "post">;
export type NewCanvasVersion = Body<`${CanvasPath}/versions`, "post">;
export type AddedVersion = Reply<`${CanvasPath}/versions`, "post", 201>;

export type CanvasFormat = "source" | "markdown" | "html" | "docx" | "pdf" | "pptx" | "xlsx" | "csv";

/** New text in place of the characters `start` to `end` of the text before the edit. */
export interface TextPatch {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A change of a streamed edit, the whole edit at its end, or why it failed. */
export type EditNews =
  | { readonly kind: "change"; readonly patch: TextPatch }
  | { readonly kind: "edit"; readonly text: string; readonly model: string }
  | { readonly kind: "error"; readonly code: string; readonly message: string };

export class CanvasCalls extends Resource {
  async list(conversation: string): Promise<readonly Canvas[]> {
    const { canvases } = await this.client.call<Reply<"/api/conversations/{id}/canvases", "get">>("GET", `/api/conversations/${conversation}/canvases`);
    return canvases;
  }

  add(conversation: string, canvas: NewCanvas): Promise<CanvasContent> {
    return this.client.call("POST", `/api/conversations/${conversation}/canvases`, canvas);
  }

  get({ conversation, id }: Pick<Canvas, "conversation" | "id">): Promise<CanvasContent> {
    return this.client.call("GET", path(conversation, id));
  }

  edit({ conversation, id }: Canvas, changes: Body<CanvasPath, "patch">): Promise<Canvas> {
    return this.client.call("PATCH", path(conversation, id), changes);
  }

  remove({ conversation, id }: Canvas): Promise<void> {
    return this.client.call("DELETE", path(conversation, id));
  }

  addVersion({ conversation, id }: Canvas, version: NewCanvasVersion): Promise<AddedVersion> {
    return this.client.call("POST", `${path(conversation, id)}/versions`, version);
  }

  async versionText({ conversation, id }: Canvas, number: number): Promise<string> {
    const { text } = await this.client.call<Reply<`${CanvasPath}/versions/{number}`, "get">>("GET", `${path(conversation, id)}/versions/${number}`);
    return text;
  }

  export({ conversation, id }: Canvas, format: CanvasFormat, version: number | null): Promise<Response> {
    const query = new URLSearchParams({ format, ...(version === null ? {} : { version: String(version) }) });
    return this.client.request("GET", `${path(conversation, id)}/export?${query}`);
  }

  nameVersion({ conversation, id }: Canvas, number: number, name: string): Promise<CanvasVersion> {
    return this.client.call("PATCH", `${path(conversation, id)}/versions/${number}`, { name });
  }

  /** Have a model change a text as instructed; changes come as soon as they are known. */
  async *change(edit: Omit<Body<"/api/edits", "post">, "stream">, signal: AbortSignal): AsyncGenerator<EditNews> {
    const body: Body<"/api/edits", "post"> = { ...edit, stream: true };
    for await (const frames of readFrames((cut) => this.client.request("POST", "/api/edits", body, cut), signal)) {
      for (const { event, data } of frames) {
        if (event === "change") yield { kind: "change", patch: JSON.parse(data) as TextPatch };
        else if (event === "edit") yield { kind: "edit", ...(JSON.parse(data) as { text: string; model: string }) };
        else if (event === "error") yield { kind: "error", ...(JSON.parse(data) as { error: { code: string; message: string } }).error };
      }
    }
  }
}

function path(conversation: string, id: string): string {
  return `/api/conversations/${conversation}/canvases/${id}`;
}
