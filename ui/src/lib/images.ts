// Image options, sizes and styles, and the progress of images in words.

import { type PlainKey, t } from "./i18n/translate.ts";
import { countryName } from "./i18n/names.ts";
import type { Message, Step, ImageRequest } from "../api/events.ts";
import type { GeneratedImage, ImageModel } from "../api/images.ts";
import type { ImageOptions } from "../api/conversations.ts";

export type Shape = "square" | "landscape" | "portrait";

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const MAX_IMAGES = 4;
/** The model that is suggested where only clip art is available. */
export const RECOMMENDED_MODEL = "flux-1-schnell";

/** The model that composes clip art. */
const CLIP_ART = "eclair-drawing";

const SHAPES: Readonly<Record<Shape, number>> = { square: 1, landscape: 3 / 2, portrait: 2 / 3 };

/** A size in another shape with about the model's native number of pixels. */
export function sizeForShape(shape: Shape, { width, height, least, most, multiple }: ImageModel): Size {
  const ratio = SHAPES[shape];
  const fit = (side: number) => Math.min(Math.max(Math.round(side / multiple) * multiple, least), most);
  const area = width * height;
  return { width: fit(Math.sqrt(area * ratio)), height: fit(Math.sqrt(area / ratio)) };
}

/** The size that an image will have: the chosen one, or the model's default. */
export function imageSize(options: Partial<Size>, model: Size): Size {
  return { width: options.width ?? model.width, height: options.height ?? model.height };
}

/** The shape of an image with this model; null for a size entered in numbers. */
export function imageShape(options: ImageOptions, model: ImageModel): Shape | null {
  const { width, height } = imageSize(options, model);
  const found = (Object.keys(SHAPES) as Shape[]).find((shape) => {
    const size = sizeForShape(shape, model);
    return size.width === width && size.height === height;
  });
  return found ?? null;
}

/** The options for another model: the shape stays, and settings that only the first model has are dropped. */
export function switchModel(options: ImageOptions, before: ImageModel | undefined, model: ImageModel): ImageOptions {
  const { width, height, steps: _, guidance: __, ...rest } = options;
  const shape = before === undefined ? null : imageShape(options, before);
  const size = width === undefined && height === undefined ? {} : shape === null ? { width, height } : sizeForShape(shape, model);
  return fitToModel({ ...rest, ...size, model: model.id }, model, true);
}

/** Only the options that the model supports; the strength only where images are edited. */
export function fitToModel(options: { readonly [K in keyof ImageOptions]: ImageOptions[K] | undefined }, model: ImageModel, editing: boolean): ImageOptions {
  return withoutEmpty({
    ...options,
    steps: model.steps === null ? undefined : options.steps,
    guidance: model.guidance === null ? undefined : options.guidance,
    negative: model.negative ? options.negative : undefined,
    style: model.drawn ? undefined : options.style,
    mask: model.masks && editing ? options.mask : undefined,
    strength: model.edits && editing ? options.strength : undefined,
  });
}

/** The options without empty values. */
export function withoutEmpty(options: { readonly [K in keyof ImageOptions]: ImageOptions[K] | undefined }): ImageOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined && value !== "")) as ImageOptions;
}

/** The options as a message stores them. */
export function toStoredOptions(options: ImageOptions): ImageRequest {
  const { count = 1, width = null, height = null, seed = null, steps = null, guidance = null, style = null } = options;
  const { negative = "", sources = [], mask = null, strength = null } = options;
  return { count, width, height, seed, steps, guidance, style, negative, sources, mask, strength };
}

/** The options of a stored message, for a model if one is named. */
export function fromStoredOptions(stored: ImageRequest, model: string | null): ImageOptions {
  const { count, negative, sources, ...rest } = stored;
  const named = Object.entries(rest).filter(([, value]) => value !== null);
  return {
    ...(Object.fromEntries(named) as ImageOptions),
    ...(model !== null && { model }),
    ...(count > 1 && { count }),
    ...(negative !== "" && { negative }),
    ...(sources.length > 0 && { sources }),
  };
}

/** The options that make such an image again, without its seed and its source images. */
export function repeatOptions({ model, width, height, steps, guidance, style, negative }: GeneratedImage): ImageOptions {
  return withoutEmpty({ model, width, height, steps: steps ?? undefined, guidance: guidance ?? undefined, style: style ?? undefined, negative });
}

/** How far a variation, and an enlargement, may depart from the original. */
const VARIATION_STRENGTH = 0.6;
const ENLARGE_STRENGTH = 0.3;

export function variationOptions(picture: GeneratedImage): ImageOptions {
  return { ...repeatOptions(picture), sources: [picture.id], strength: VARIATION_STRENGTH };
}

/** Twice the size, within the model's limit; null where the image is already at the limit. */
export function enlargeOptions(picture: GeneratedImage, { most, multiple }: ImageModel): ImageOptions | null {
  const factor = Math.min(2, most / Math.max(picture.width, picture.height));
  const side = (length: number) => Math.floor((length * factor) / multiple) * multiple;
  const [width, height] = [side(picture.width), side(picture.height)];
  if (width <= picture.width || height <= picture.height) return null;
  return { ...repeatOptions(picture), width, height, sources: [picture.id], strength: ENLARGE_STRENGTH };
}

/** The text after `/draw` in the composer; null where there is no such command. */
export function parseDrawCommand(draft: string): string | null {
  const [found, words = ""] = /^\s*\/draw(?:\s+([^]*))?$/.exec(draft) ?? [];
  return found === undefined ? null : words.trim();
}

/** The model with its country, unless it runs on the server's machine. */
export function modelLabel({ name, jurisdiction }: ImageModel): string {
  return jurisdiction === null ? name : `${name} · ${countryName(jurisdiction)}`;
}

/** `1024 × 768` */
export function formatSize({ width, height }: Size): string {
  return `${width} × ${height}`;
}

/** True for a step that makes an image, or waits for other images. */
export function isImageStep(step: Pick<Step, "kind" | "step">): boolean {
  return step.kind === "draw" || isQueue(step);
}

/** True for a step in the queue; `done` of the `of` images before it are finished. */
function isQueue({ kind, step }: Pick<Step, "kind" | "step">): boolean {
  return kind === "load" && step.startsWith("queue-");
}

/** How many images come before this step's. */
export function imagesAhead(step: Pick<Step, "kind" | "step" | "done" | "of">): number {
  return isQueue(step) ? Math.max(1, (step.of ?? 1) - (step.done ?? 0)) : 0;
}

const STYLES: Readonly<Record<string, PlainKey>> = {
  photo: "stylePhoto",
  portrait: "stylePortrait",
  cinematic: "styleCinematic",
  illustration: "styleIllustration",
  watercolour: "styleWatercolour",
  oil: "styleOil",
  ink: "styleInk",
  comic: "styleComic",
  flat: "styleFlat",
  icon: "styleIcon",
  isometric: "styleIsometric",
  clay: "styleClay",
  pixel: "stylePixel",
  sketch: "styleSketch",
  blueprint: "styleBlueprint",
};

/** The name of a style; an unknown one has its own English title. */
export function styleName(name: string, title: string): string {
  const key = Object.hasOwn(STYLES, name) ? STYLES[name] : undefined;
  return key === undefined ? title : t(key);
}

/** The progress of an image: `step 2 of 4`, or how many come before it. */
export function progressText({ before, done, of }: { readonly before?: number; readonly done: number | null; readonly of: number | null }): string {
  if (before !== undefined && before > 0) return t("drawBefore", { count: before });
  if (done === null || of === null || done === 0) return t("drawBegins");
  return t("drawStep", { done, of });
}

/** The progress of the image in the making, for screen readers; empty where there is none. */
export function progressAnnouncement({ steps, parts }: Pick<Message, "steps" | "parts">): string {
  const step = steps.find((candidate) => isImageStep(candidate) && candidate.milliseconds === null);
  if (step === undefined) return "";
  const finished = parts.filter(({ kind }) => kind === "picture").length;
  return [finished === 0 ? "" : t("picturesDone", { count: finished }), progressText({ ...step, before: imagesAhead(step) })].filter((text) => text !== "").join(" ");
}

/** The label that says that an image was generated. */
export function originLabel(model: ImageModel | undefined, id: string | null = null): PlainKey {
  return (model?.drawn ?? id === CLIP_ART) ? "drawnLabel" : "madeLabel";
}

/** The bytes as a data: URL. */
export function dataUrl(bytes: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error("the picture cannot be read"));
    reader.readAsDataURL(bytes);
  });
}
