// Images that are made: their options, sizes and styles, and what is said of them.

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

/** So many pictures may be asked for here at once. */
export const MAX_IMAGES = 4;
/** The model that is named to whoever has none but the built-in one. */
export const RECOMMENDED_MODEL = "flux-1-schnell";

/** The drawings that come along. */
const BUILT_IN = "eclair-drawing";

const SHAPES: Readonly<Record<Shape, number>> = { square: 1, landscape: 3 / 2, portrait: 2 / 3 };

/** About as many pixels as the model is at home with, in another shape. */
export function sizeForShape(shape: Shape, { width, height, least, most, multiple }: ImageModel): Size {
  const ratio = SHAPES[shape];
  const fit = (side: number) => Math.min(Math.max(Math.round(side / multiple) * multiple, least), most);
  const area = width * height;
  return { width: fit(Math.sqrt(area * ratio)), height: fit(Math.sqrt(area / ratio)) };
}

/** What will be drawn of it: the size that was chosen, or the model's own. */
export function imageSize(drawing: Partial<Size>, model: Size): Size {
  return { width: drawing.width ?? model.width, height: drawing.height ?? model.height };
}

/** The shape that a drawing has with this model; null where its size was put in numbers. */
export function imageShape(drawing: ImageOptions, model: ImageModel): Shape | null {
  const { width, height } = imageSize(drawing, model);
  const found = (Object.keys(SHAPES) as Shape[]).find((shape) => {
    const size = sizeForShape(shape, model);
    return size.width === width && size.height === height;
  });
  return found ?? null;
}

/** The drawing by another model: its shape stays, and what only the first model has goes. */
export function switchModel(drawing: ImageOptions, before: ImageModel | undefined, model: ImageModel): ImageOptions {
  const { width, height, steps: _, guidance: __, ...rest } = drawing;
  const shape = before === undefined ? null : imageShape(drawing, before);
  const size = width === undefined && height === undefined ? {} : shape === null ? { width, height } : sizeForShape(shape, model);
  return fitToModel({ ...rest, ...size, model: model.id }, model, true);
}

/** What of a drawing the model takes; the strength of a change only where pictures are edited. */
export function fitToModel(drawing: { readonly [K in keyof ImageOptions]: ImageOptions[K] | undefined }, model: ImageModel, editing: boolean): ImageOptions {
  return withoutEmpty({
    ...drawing,
    steps: model.steps === null ? undefined : drawing.steps,
    guidance: model.guidance === null ? undefined : drawing.guidance,
    negative: model.negative ? drawing.negative : undefined,
    style: model.drawn ? undefined : drawing.style,
    mask: model.masks && editing ? drawing.mask : undefined,
    strength: model.edits && editing ? drawing.strength : undefined,
  });
}

/** A drawing without what says nothing. */
export function withoutEmpty(drawing: { readonly [K in keyof ImageOptions]: ImageOptions[K] | undefined }): ImageOptions {
  return Object.fromEntries(Object.entries(drawing).filter(([, value]) => value !== undefined && value !== "")) as ImageOptions;
}

/** The wish that a drawing is stored as. */
export function toStoredOptions(drawing: ImageOptions): ImageRequest {
  const { count = 1, width = null, height = null, seed = null, steps = null, guidance = null, style = null } = drawing;
  const { negative = "", sources = [], mask = null, strength = null } = drawing;
  return { count, width, height, seed, steps, guidance, style, negative, sources, mask, strength };
}

/** The drawing that asks for the same as a stored wish, by a model if one is named. */
export function fromStoredOptions(wish: ImageRequest, model: string | null): ImageOptions {
  const { count, negative, sources, ...rest } = wish;
  const named = Object.entries(rest).filter(([, value]) => value !== null);
  return {
    ...(Object.fromEntries(named) as ImageOptions),
    ...(model !== null && { model }),
    ...(count > 1 && { count }),
    ...(negative !== "" && { negative }),
    ...(sources.length > 0 && { sources }),
  };
}

/** What would make such a picture again, but for its seed and what it was edited from. */
export function repeatOptions({ model, width, height, steps, guidance, style, negative }: GeneratedImage): ImageOptions {
  return withoutEmpty({ model, width, height, steps: steps ?? undefined, guidance: guidance ?? undefined, style: style ?? undefined, negative });
}

/** By how much a variation, and an enlargement, may depart from its picture. */
const VARIED = 0.6;
const ENLARGED = 0.3;

export function variationOptions(picture: GeneratedImage): ImageOptions {
  return { ...repeatOptions(picture), sources: [picture.id], strength: VARIED };
}

/** The same twice as large, as far as the model goes; null where it is as large as that can be. */
export function enlargeOptions(picture: GeneratedImage, { most, multiple }: ImageModel): ImageOptions | null {
  const factor = Math.min(2, most / Math.max(picture.width, picture.height));
  const side = (length: number) => Math.floor((length * factor) / multiple) * multiple;
  const [width, height] = [side(picture.width), side(picture.height)];
  if (width <= picture.width || height <= picture.height) return null;
  return { ...repeatOptions(picture), width, height, sources: [picture.id], strength: ENLARGED };
}

/** What is to be drawn: the words after `/draw` in the composer. Null where there is no such command. */
export function parseDrawCommand(draft: string): string | null {
  const [found, words = ""] = /^\s*\/draw(?:\s+([^]*))?$/.exec(draft) ?? [];
  return found === undefined ? null : words.trim();
}

/** The model with the country where it runs, unless that is the server's machine. */
export function modelLabel({ name, jurisdiction }: ImageModel): string {
  return jurisdiction === null ? name : `${name} · ${countryName(jurisdiction)}`;
}

/** `1024 × 768` */
export function formatSize({ width, height }: Size): string {
  return `${width} × ${height}`;
}

/** Whether a step makes a picture, or waits until those of others are made. */
export function isImageStep(step: Pick<Step, "kind" | "step">): boolean {
  return step.kind === "draw" || isQueue(step);
}

/** A step that waits: of the pictures before it, so many are done. */
function isQueue({ kind, step }: Pick<Step, "kind" | "step">): boolean {
  return kind === "load" && step.startsWith("queue-");
}

/** How many pictures are made before the one of this step. */
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

/** What a style is called; one that is not known here has its own title, in English. */
export function styleName(name: string, title: string): string {
  const key = Object.hasOwn(STYLES, name) ? STYLES[name] : undefined;
  return key === undefined ? title : t(key);
}

/** How far a picture is: `step 2 of 4`; or how many come before it. */
export function progressText({ before, done, of }: { readonly before?: number; readonly done: number | null; readonly of: number | null }): string {
  if (before !== undefined && before > 0) return t("drawBefore", { count: before });
  if (done === null || of === null || done === 0) return t("drawBegins");
  return t("drawStep", { done, of });
}

/** How far the picture in the making is, for those who listen; empty where none is. */
export function progressAnnouncement({ steps, parts }: Pick<Message, "steps" | "parts">): string {
  const step = steps.find((one) => isImageStep(one) && one.milliseconds === null);
  if (step === undefined) return "";
  const made = parts.filter(({ kind }) => kind === "picture").length;
  return [made === 0 ? "" : t("picturesDone", { count: made }), progressText({ ...step, before: imagesAhead(step) })].filter((text) => text !== "").join(" ");
}

/** What a picture is called where it is to be seen that no person made it. */
export function originLabel(model: ImageModel | undefined, id: string | null = null): PlainKey {
  return (model?.drawn ?? id === BUILT_IN) ? "drawnLabel" : "madeLabel";
}

/** Bytes as an address that the page may show. */
export function dataUrl(bytes: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error("the picture cannot be read"));
    reader.readAsDataURL(bytes);
  });
}
