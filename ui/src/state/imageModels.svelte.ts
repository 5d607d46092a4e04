// The image models, the options chosen last in this browser, and the facts about images.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { ImageOptions } from "../api/conversations.ts";
import { fitToModel, RECOMMENDED_MODEL, styleName, switchModel, withoutEmpty } from "../lib/images.ts";
import { type GeneratedImage, ImageCalls, type ImageModel, type ImageStyle } from "../api/images.ts";
import { readStoredJson, writeStored } from "../lib/storage.ts";

const STORED_OPTIONS = "eclair.draw";
const MAX_CACHED_IMAGES = 200;

/** Why an image can't be shown: it was deleted, or couldn't be loaded. */
export type MissingImage = "gone" | "unread";

export class ImageModels {
  models = $state.raw<readonly ImageModel[]>([]);
  styles = $state.raw<readonly ImageStyle[]>([]);
  /** The models were requested, with or without a reply. */
  known = $state(false);
  readonly calls: ImageCalls;
  readonly ready = $derived(this.models.filter(({ state }) => state === "ready"));
  /** The model that is used unless another is chosen. */
  readonly defaultModel = $derived(this.ready.find((model) => model.default) ?? this.ready[0] ?? null);
  /** Only clip art is available. */
  readonly onlyClipArt = $derived(this.ready.length > 0 && this.ready.every(({ drawn }) => drawn));
  /** The model to download for images like photos; null where none would run here, or one is here. */
  readonly offer = $derived.by(() => {
    const installable = this.models.filter((model) => model.installable && !model.restricted);
    return installable.find(({ id }) => id === RECOMMENDED_MODEL) ?? installable[0] ?? null;
  });
  readonly #pictures = new Map<string, GeneratedImage>();

  constructor(api: Api) {
    this.calls = api.images;
  }

  async read(): Promise<void> {
    try {
      ({ models: this.models, styles: this.styles } = await this.calls.models());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.models = []; // no images can be made, and the switch says so
    }
    this.known = true;
  }

  model(id: string | null | undefined): ImageModel | undefined {
    return this.models.find((model) => model.id === id);
  }

  /** The name of a style; empty where there is none. */
  styleName(name: string | null | undefined): string {
    return styleName(name ?? "", this.styles.find((style) => style.name === name)?.title ?? name ?? "");
  }

  /** The model for these options: the named one, if it is ready. */
  modelFor({ model }: ImageOptions, editing: boolean): ImageModel | null {
    const named = this.ready.find(({ id }) => id === model);
    return named ?? (editing ? this.editor() : null) ?? this.defaultModel;
  }

  /** The options as they are sent: for a model that can edit where images are edited, and only with what it supports. */
  finalOptions(options: ImageOptions, files: number): ImageOptions {
    const editing = files + (options.sources ?? []).length > 0;
    const model = this.modelFor(options, editing);
    if (model === null) return options;
    const unchanged = model === this.defaultModel || model.id === options.model;
    return unchanged ? fitToModel(options, model, editing) : switchModel(options, this.defaultModel ?? undefined, model);
  }

  /** The model for editing: the named one, the default, or any other that can edit. */
  editor(named?: string): ImageModel | null {
    const able = this.ready.filter(({ edits }) => edits);
    return able.find(({ id }) => id === named) ?? able.find((model) => model.default) ?? able[0] ?? null;
  }

  /** The options chosen last, as far as they are still available. */
  get last(): ImageOptions {
    const { model, style, ...options } = readStoredJson<ImageOptions>(STORED_OPTIONS) ?? {};
    const available = this.ready.some(({ id }) => id === model);
    const known = this.styles.some(({ name }) => name === style);
    return withoutEmpty({ ...(available && { ...options, model }), ...(known && { style }) });
  }

  /** Store the options for the next time: model, size and style, but nothing that belongs to one image. */
  remember({ model, width, height, style }: ImageOptions): void {
    const defaultModel = model ?? this.defaultModel?.id;
    writeStored(STORED_OPTIONS, JSON.stringify(withoutEmpty({ model: defaultModel, width, height, style })));
  }

  /** The options for editing an image, by its own model or another that can edit; null where none can. */
  editOptions(id: string, preferred?: string): ImageOptions | null {
    const model = this.editor(preferred);
    return model === null ? null : { ...switchModel({}, undefined, model), sources: [id] };
  }

  /** The facts about an image, requested once. */
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
