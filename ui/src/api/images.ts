// Image models and styles, and the generated images.

import type { ImageOptions } from "./conversations.ts";
import { Resource } from "./resource.ts";
import type { Frame, Reply } from "./wire.ts";

export type ImageModelList = Reply<"/api/pictures/models", "get">;

/** An image model. Sizes are pixels; width and height are multiples of `multiple`. */
export type ImageModel = ImageModelList["models"][number];

export type ImageStyle = ImageModelList["styles"][number];

/** Images, newest first; `next` is where the next page begins. */
export type ImagePage = Reply<"/api/pictures", "get">;

/** A generated image that is stored. */
export type GeneratedImage = ImagePage["pictures"][number];

/** An event of image generation, by its name. */
export type ImageFrame = Frame<"/api/pictures", "post">;

export class ImageCalls extends Resource {
  models(): Promise<ImageModelList> {
    return this.client.call("GET", "/api/pictures/models");
  }

  /** List images, newest first, whose prompt has the words, or those after the page before. */
  list(words: string, before: string | null, limit: number, signal?: AbortSignal): Promise<ImagePage> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (words !== "") query.set("q", words);
    if (before !== null) query.set("before", before);
    return this.client.call("GET", `/api/pictures?${query}`, undefined, signal);
  }

  get(id: string, signal?: AbortSignal): Promise<GeneratedImage> {
    return this.client.call("GET", `/api/pictures/${id}`, undefined, signal);
  }

  /** The bytes of an image, of its thumbnail, or of the last preview of one in progress. */
  async bytes(id: string, what: "content" | "thumbnail" | "preview", signal?: AbortSignal): Promise<Blob> {
    return (await this.client.request("GET", `/api/pictures/${id}/${what}`, undefined, signal)).blob();
  }

  download(id: string): Promise<Response> {
    return this.client.request("GET", `/api/pictures/${id}/content?download=1`);
  }

  /** Delete an image. */
  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/pictures/${id}`);
  }

  /** Generate images outside any conversation; the response streams the progress. Closing it stops the work. */
  generate(prompt: string, options: ImageOptions, signal: AbortSignal): Promise<Response> {
    return this.client.request("POST", "/api/pictures", { prompt, ...options }, signal);
  }
}
