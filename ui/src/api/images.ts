// Images that are made: by which models and in which styles, and those that were made.

import type { ImageOptions } from "./conversations.ts";
import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type ImageModelList = Reply<"/api/pictures/models", "get">;

/** A model that makes images. Sizes are pixels; sides are multiples of `multiple`. */
export type ImageModel = ImageModelList["models"][number];

export type ImageStyle = ImageModelList["styles"][number];

/** Images, newest first; `next` is where those after them begin. */
export type ImagePage = Reply<"/api/pictures", "get">;

/** An image that was made and is kept. */
export type GeneratedImage = ImagePage["pictures"][number];

export class ImageCalls extends Resource {
  models(): Promise<ImageModelList> {
    return this.client.call("GET", "/api/pictures/models");
  }

  /** Those whose prompt has the words, from the newest on or after those that were read before. */
  list(words: string, before: string | null, limit: number, signal?: AbortSignal): Promise<ImagePage> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (words !== "") query.set("q", words);
    if (before !== null) query.set("before", before);
    return this.client.call("GET", `/api/pictures?${query}`, undefined, signal);
  }

  get(id: string, signal?: AbortSignal): Promise<GeneratedImage> {
    return this.client.call("GET", `/api/pictures/${id}`, undefined, signal);
  }

  /** The image's bytes, those of a small one, or those of the last preview of one in the making. */
  async bytes(id: string, what: "content" | "thumbnail" | "preview", signal?: AbortSignal): Promise<Blob> {
    return (await this.client.request("GET", `/api/pictures/${id}/${what}`, undefined, signal)).blob();
  }

  download(id: string): Promise<Response> {
    return this.client.request("GET", `/api/pictures/${id}/content?download=1`);
  }

  /** Erase it. */
  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/pictures/${id}`);
  }

  /** Have images made outside any conversation; the response streams the progress. Closing it stops the work. */
  generate(prompt: string, options: ImageOptions, signal: AbortSignal): Promise<Response> {
    return this.client.request("POST", "/api/pictures", { prompt, ...options }, signal);
  }
}
