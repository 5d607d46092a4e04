// The models that make pictures, what was chosen for them last in this browser, and pictures as they are asked for.

import { ApiError, type Api } from "../api/client.ts";
import { type Drawing, fitted, type Picture, PictureCalls, type PictureModel, type Style, styled, withModel, without } from "../lib/images.ts";
import { readJson, write } from "./drafts.ts";

const LAST = "eclair.draw";
/** So many pictures are remembered as text. */
const REMEMBERED = 200;

/** A picture that cannot be shown: it was deleted, or could not be had. */
export type Missing = "gone" | "unread";

export class PictureModels {
  models = $state.raw<readonly PictureModel[]>([]);
  styles = $state.raw<readonly Style[]>([]);
  /** Whether they have been asked for, with or without a reply. */
  known = $state(false);
  readonly calls: PictureCalls;
  readonly ready = $derived(this.models.filter(({ state }) => state === "ready"));
  /** The one that draws unless another is chosen. */
  readonly first = $derived(this.ready.find((model) => model.default) ?? this.ready[0] ?? null);
  /** Nothing but the built-in drawings is there. */
  readonly bare = $derived(this.ready.length > 0 && this.ready.every(({ drawn }) => drawn));
  readonly #pictures = new Map<string, Picture>();

  constructor(api: Api) {
    this.calls = new PictureCalls(api);
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

  model(id: string | null | undefined): PictureModel | undefined {
    return this.models.find((model) => model.id === id);
  }

  /** What a style is called; empty where there is none. */
  styleName(name: string | null | undefined): string {
    return styled(name ?? "", this.styles.find((style) => style.name === name)?.title ?? name ?? "");
  }

  /** The model that draws this: the one that is named, if it can. */
  of({ model }: Drawing, editing: boolean): PictureModel | null {
    const named = this.ready.find(({ id }) => id === model);
    return named ?? (editing ? this.editor() : null) ?? this.first;
  }

  /** The drawing as it is sent: where pictures are edited, by a model that can, and without what its model does not have. */
  settled(drawing: Drawing, files: number): Drawing {
    const editing = files + (drawing.sources ?? []).length > 0;
    const model = this.of(drawing, editing);
    if (model === null) return drawing;
    const own = model === this.first || model.id === drawing.model;
    return own ? fitted(drawing, model, editing) : withModel(drawing, this.first ?? undefined, model);
  }

  /** The best of those that take pictures: the one that is named, the first, or another. */
  editor(named?: string): PictureModel | null {
    const able = this.ready.filter(({ edits }) => edits);
    return able.find(({ id }) => id === named) ?? able.find((model) => model.default) ?? able[0] ?? null;
  }

  /** What was chosen last, as far as it can be had. */
  get last(): Drawing {
    const { model, style, ...kept } = readJson<Drawing>(LAST) ?? {};
    const there = this.ready.some(({ id }) => id === model);
    const known = this.styles.some(({ name }) => name === style);
    return without({ ...(there && { ...kept, model }), ...(known && { style }) });
  }

  /** Begin with this the next time: its model, size and style, but nothing that belongs to one picture. */
  remember({ model, width, height, style }: Drawing): void {
    const first = model ?? this.first?.id;
    write(LAST, JSON.stringify(without({ model: first, width, height, style })));
  }

  /** Have a picture edited: by the model that made it, or by one that can. Null where none can. */
  edited(id: string, made?: string): Drawing | null {
    const model = this.editor(made);
    return model === null ? null : { ...withModel({}, undefined, model), sources: [id] };
  }

  /** What is known of a picture; asked for once. */
  async picture(id: string, signal: AbortSignal): Promise<Picture> {
    const known = this.#pictures.get(id);
    if (known !== undefined) return known;
    const found = await this.calls.picture(id, signal);
    if (this.#pictures.size >= REMEMBERED) this.#pictures.clear();
    this.#pictures.set(id, found);
    return found;
  }

  forget(id: string): void {
    this.#pictures.delete(id);
  }
}

/** Bytes as an address that the page may show. */
export function shown(bytes: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error("the picture cannot be read"));
    reader.readAsDataURL(bytes);
  });
}
