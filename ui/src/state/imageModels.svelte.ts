// The models that make pictures, what was chosen for them last in this browser, and pictures as they are asked for.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { ImageOptions } from "../api/conversations.ts";
import { fitToModel, styleName, switchModel, withoutEmpty } from "../lib/images.ts";
import { type GeneratedImage, ImageCalls, type ImageModel, type ImageStyle } from "../api/images.ts";
import { readStoredJson, writeStored } from "../lib/storage.ts";

const STORED_OPTIONS = "eclair.draw";
/** So many pictures are remembered as text. */
const MAX_CACHED_IMAGES = 200;

/** A picture that cannot be shown: it was deleted, or could not be had. */
export type MissingImage = "gone" | "unread";

export class ImageModels {
  models = $state.raw<readonly ImageModel[]>([]);
  styles = $state.raw<readonly ImageStyle[]>([]);
  /** Whether they have been asked for, with or without a reply. */
  known = $state(false);
  readonly calls: ImageCalls;
  readonly ready = $derived(this.models.filter(({ state }) => state === "ready"));
  /** The one that draws unless another is chosen. */
  readonly first = $derived(this.ready.find((model) => model.default) ?? this.ready[0] ?? null);
  /** Nothing but the built-in drawings is there. */
  readonly bare = $derived(this.ready.length > 0 && this.ready.every(({ drawn }) => drawn));
  readonly #pictures = new Map<string, GeneratedImage>();

  constructor(api: Api) {
    this.calls = api.images;
  }

  async read(): Promise<void> {
    try {
      ({ models: this.models, styles: this.styles } = await this.calls.models());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.models = []; // nothing can be drawn, and the switch says so
    }
    this.known = true;
  }

  model(id: string | null | undefined): ImageModel | undefined {
    return this.models.find((model) => model.id === id);
  }

  /** What a style is called; empty where there is none. */
  styleName(name: string | null | undefined): string {
    return styleName(name ?? "", this.styles.find((style) => style.name === name)?.title ?? name ?? "");
  }

  /** The model that draws this: the one that is named, if it can. */
  modelFor({ model }: ImageOptions, editing: boolean): ImageModel | null {
    const named = this.ready.find(({ id }) => id === model);
    return named ?? (editing ? this.editor() : null) ?? this.first;
  }

  /** The drawing as it is sent: where pictures are edited, by a model that can, and without what its model does not have. */
  finalOptions(drawing: ImageOptions, files: number): ImageOptions {
    const editing = files + (drawing.sources ?? []).length > 0;
    const model = this.modelFor(drawing, editing);
    if (model === null) return drawing;
    const own = model === this.first || model.id === drawing.model;
    return own ? fitToModel(drawing, model, editing) : switchModel(drawing, this.first ?? undefined, model);
  }

  /** The best of those that take pictures: the one that is named, the first, or another. */
  editor(named?: string): ImageModel | null {
    const able = this.ready.filter(({ edits }) => edits);
    return able.find(({ id }) => id === named) ?? able.find((model) => model.default) ?? able[0] ?? null;
  }

  /** What was chosen last, as far as it can be had. */
  get last(): ImageOptions {
    const { model, style, ...kept } = readStoredJson<ImageOptions>(STORED_OPTIONS) ?? {};
    const there = this.ready.some(({ id }) => id === model);
    const known = this.styles.some(({ name }) => name === style);
    return withoutEmpty({ ...(there && { ...kept, model }), ...(known && { style }) });
  }

  /** Begin with this the next time: its model, size and style, but nothing that belongs to one picture. */
  remember({ model, width, height, style }: ImageOptions): void {
    const first = model ?? this.first?.id;
    writeStored(STORED_OPTIONS, JSON.stringify(withoutEmpty({ model: first, width, height, style })));
  }

  /** Have a picture edited: by the model that made it, or by one that can. Null where none can. */
  editOptions(id: string, made?: string): ImageOptions | null {
    const model = this.editor(made);
    return model === null ? null : { ...switchModel({}, undefined, model), sources: [id] };
  }

  /** What is known of a picture; asked for once. */
  async image(id: string, signal: AbortSignal): Promise<GeneratedImage> {
    const known = this.#pictures.get(id);
    if (known !== undefined) return known;
    const found = await this.calls.get(id, signal);
    if (this.#pictures.size >= MAX_CACHED_IMAGES) this.#pictures.clear();
    this.#pictures.set(id, found);
    return found;
  }

  forget(id: string): void {
    this.#pictures.delete(id);
  }
}
