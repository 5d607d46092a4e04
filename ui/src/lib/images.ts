// Pictures that are made: by which models, how they are wanted, and those that there are; in words, and the calls for them.

import type { Api } from "../api/client.ts";
import type { Message, Step, Wish } from "../api/events.ts";
import { type PlainKey, say } from "./i18n/translate.ts";
import { country } from "./location.ts";

/** A model that makes pictures. Sizes are pixels; sides are multiples of `multiple`. */
export interface PictureModel {
  readonly id: string;
  readonly name: string;
  readonly maker: string;
  readonly country: string | null;
  readonly licence: string;
  readonly width: number;
  readonly height: number;
  readonly least: number;
  readonly most: number;
  readonly multiple: number;
  /** What its makers advise; null where it has no such thing. */
  readonly steps: number | null;
  readonly guidance: number | null;
  /** It takes pictures too. */
  readonly edits: boolean;
  /** It changes a part of a picture alone, where one is painted over. */
  readonly masks: boolean;
  readonly negative: boolean;
  /** The country where it runs, as an ISO code; null for the server's machine. */
  readonly jurisdiction: string | null;
  /** What it makes is put together from drawings; no pictures taught it. */
  readonly drawn: boolean;
  readonly state: "ready" | "absent" | "locked";
  /** What is missing, in English. */
  readonly why: string | null;
  readonly default: boolean;
}

export interface Style {
  readonly name: string;
  readonly title: string;
}

export interface Offered {
  readonly models: readonly PictureModel[];
  readonly styles: readonly Style[];
}

/** A picture that was made and is kept. */
export interface Picture {
  readonly id: string;
  readonly conversation: string | null;
  readonly created: number;
  readonly prompt: string;
  readonly model: string;
  readonly media: string;
  readonly width: number;
  readonly height: number;
  readonly size: number;
  readonly seed: number | null;
  readonly steps: number | null;
  readonly guidance: number | null;
  readonly style: string | null;
  readonly negative: string;
  readonly source: string | null;
  /** How long it took; null where that is not known. */
  readonly milliseconds: number | null;
}

/** Pictures, newest first; `next` is where those after them begin. */
export interface Pictures {
  readonly pictures: readonly Picture[];
  readonly next: string | null;
}

/** How pictures are wanted, as the server takes it; what is not there is left to the model. */
export interface Drawing {
  readonly model?: string;
  readonly width?: number;
  readonly height?: number;
  readonly count?: number;
  readonly seed?: number;
  readonly steps?: number;
  readonly guidance?: number;
  readonly style?: string;
  readonly negative?: string;
  /** Ids of pictures and files that are edited; the first is changed by `strength`. */
  readonly sources?: readonly string[];
  /** The id of a file that is transparent where the first of them may change. */
  readonly mask?: string;
  readonly strength?: number;
}

export type Shape = "square" | "landscape" | "portrait";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** So many pictures may be asked for here at once. */
export const MOST = 4;
/** The model that is named to whoever has none but the built-in one. */
export const ADVISED = "flux-1-schnell";

/** The drawings that come along. */
const BUILT_IN = "eclair-drawing";

const SHAPES: Readonly<Record<Shape, number>> = { square: 1, landscape: 3 / 2, portrait: 2 / 3 };

/** About as many pixels as the model is at home with, in another shape. */
export function sizeOf(shape: Shape, { width, height, least, most, multiple }: PictureModel): Size {
  const ratio = SHAPES[shape];
  const fit = (side: number) => Math.min(Math.max(Math.round(side / multiple) * multiple, least), most);
  const area = width * height;
  return { width: fit(Math.sqrt(area * ratio)), height: fit(Math.sqrt(area / ratio)) };
}

/** What will be drawn of it: the size that was chosen, or the model's own. */
export function sizeIn(drawing: Partial<Size>, model: Size): Size {
  return { width: drawing.width ?? model.width, height: drawing.height ?? model.height };
}

/** The shape that a drawing has with this model; null where its size was put in numbers. */
export function shapeOf(drawing: Drawing, model: PictureModel): Shape | null {
  const { width, height } = sizeIn(drawing, model);
  const found = (Object.keys(SHAPES) as Shape[]).find((shape) => {
    const size = sizeOf(shape, model);
    return size.width === width && size.height === height;
  });
  return found ?? null;
}

/** The drawing by another model: its shape stays, and what only the first model has goes. */
export function withModel(drawing: Drawing, before: PictureModel | undefined, model: PictureModel): Drawing {
  const { width, height, steps: _, guidance: __, ...rest } = drawing;
  const shape = before === undefined ? null : shapeOf(drawing, before);
  const size = width === undefined && height === undefined ? {} : shape === null ? { width, height } : sizeOf(shape, model);
  return fitted({ ...rest, ...size, model: model.id }, model, true);
}

/** What of a drawing the model takes; the strength of a change only where pictures are edited. */
export function fitted(drawing: { readonly [K in keyof Drawing]: Drawing[K] | undefined }, model: PictureModel, editing: boolean): Drawing {
  return without({
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
export function without(drawing: { readonly [K in keyof Drawing]: Drawing[K] | undefined }): Drawing {
  return Object.fromEntries(Object.entries(drawing).filter(([, value]) => value !== undefined && value !== "")) as Drawing;
}

/** The wish that a drawing is stored as. */
export function wishOf(drawing: Drawing): Wish {
  const { count = 1, width = null, height = null, seed = null, steps = null, guidance = null, style = null } = drawing;
  const { negative = "", sources = [], mask = null, strength = null } = drawing;
  return { count, width, height, seed, steps, guidance, style, negative, sources, mask, strength };
}

/** The drawing that asks for the same as a stored wish, by a model if one is named. */
export function drawingOf(wish: Wish, model: string | null): Drawing {
  const { count, negative, sources, ...rest } = wish;
  const named = Object.entries(rest).filter(([, value]) => value !== null);
  return {
    ...(Object.fromEntries(named) as Drawing),
    ...(model !== null && { model }),
    ...(count > 1 && { count }),
    ...(negative !== "" && { negative }),
    ...(sources.length > 0 && { sources }),
  };
}

/** What would make such a picture again, but for its seed and what it was edited from. */
export function again({ model, width, height, steps, guidance, style, negative }: Picture): Drawing {
  return without({ model, width, height, steps: steps ?? undefined, guidance: guidance ?? undefined, style: style ?? undefined, negative });
}

/** By how much a variation, and an enlargement, may depart from its picture. */
const VARIED = 0.6;
const ENLARGED = 0.3;

export function varied(picture: Picture): Drawing {
  return { ...again(picture), sources: [picture.id], strength: VARIED };
}

/** The same twice as large, as far as the model goes; null where it is as large as that can be. */
export function enlarged(picture: Picture, { most, multiple }: PictureModel): Drawing | null {
  const factor = Math.min(2, most / Math.max(picture.width, picture.height));
  const side = (length: number) => Math.floor((length * factor) / multiple) * multiple;
  const [width, height] = [side(picture.width), side(picture.height)];
  if (width <= picture.width || height <= picture.height) return null;
  return { ...again(picture), width, height, sources: [picture.id], strength: ENLARGED };
}

/** What is to be drawn: the words after `/draw` in the composer. Null where there is no such command. */
export function drawIn(draft: string): string | null {
  const [found, words = ""] = /^\s*\/draw(?:\s+([^]*))?$/.exec(draft) ?? [];
  return found === undefined ? null : words.trim();
}

/** The model with the country where it runs, unless that is the server's machine. */
export function placed({ name, jurisdiction }: PictureModel): string {
  return jurisdiction === null ? name : `${name} · ${country(jurisdiction)}`;
}

/** `1024 × 768` */
export function sized({ width, height }: Size): string {
  return `${width} × ${height}`;
}

/** Whether a step makes a picture, or waits until those of others are made. */
export function isDrawing(step: Pick<Step, "kind" | "step">): boolean {
  return step.kind === "draw" || isQueue(step);
}

/** A step that waits: of the pictures before it, so many are done. */
function isQueue({ kind, step }: Pick<Step, "kind" | "step">): boolean {
  return kind === "load" && step.startsWith("queue-");
}

/** How many pictures are made before the one of this step. */
export function beforeIn(step: Pick<Step, "kind" | "step" | "done" | "of">): number {
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
export function styled(name: string, title: string): string {
  const key = Object.hasOwn(STYLES, name) ? STYLES[name] : undefined;
  return key === undefined ? title : say(key);
}

/** How far a picture is: `step 2 of 4`; or how many come before it. */
export function standing({ before, done, of }: { readonly before?: number; readonly done: number | null; readonly of: number | null }): string {
  if (before !== undefined && before > 0) return say("drawBefore", { count: before });
  if (done === null || of === null || done === 0) return say("drawBegins");
  return say("drawStep", { done, of });
}

/** How far the picture in the making is, for those who listen; empty where none is. */
export function told({ steps, parts }: Pick<Message, "steps" | "parts">): string {
  const step = steps.find((one) => isDrawing(one) && one.milliseconds === null);
  if (step === undefined) return "";
  const made = parts.filter(({ kind }) => kind === "picture").length;
  return [made === 0 ? "" : say("picturesDone", { count: made }), standing({ ...step, before: beforeIn(step) })].filter((text) => text !== "").join(" ");
}

/** What a picture is called where it is to be seen that no person made it. */
export function labelOf(model: PictureModel | undefined, id: string | null = null): PlainKey {
  return (model?.drawn ?? id === BUILT_IN) ? "drawnLabel" : "madeLabel";
}

/** The calls for pictures. */
export class PictureCalls {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  models(): Promise<Offered> {
    return this.#api.call("GET", "/api/pictures/models");
  }

  /** Those whose prompt has the words, from the newest on or after those that were read before. */
  list(words: string, before: string | null, limit: number, signal?: AbortSignal): Promise<Pictures> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (words !== "") query.set("q", words);
    if (before !== null) query.set("before", before);
    return this.#api.call("GET", `/api/pictures?${query}`, undefined, signal);
  }

  picture(id: string, signal?: AbortSignal): Promise<Picture> {
    return this.#api.call("GET", `/api/pictures/${id}`, undefined, signal);
  }

  /** The picture's bytes, those of a small one, or those of the last look at one in the making. */
  async bytes(id: string, what: "content" | "thumbnail" | "preview", signal?: AbortSignal): Promise<Blob> {
    return (await this.#api.reply("GET", `/api/pictures/${id}/${what}`, undefined, signal)).blob();
  }

  file(id: string): Promise<Response> {
    return this.#api.reply("GET", `/api/pictures/${id}/content?download=1`);
  }

  /** Erase it. */
  remove(id: string): Promise<void> {
    return this.#api.call("DELETE", `/api/pictures/${id}`);
  }

  /** Have pictures made outside any conversation; the reply streams how far they are. Closing it stops the work. */
  draw(prompt: string, drawing: Drawing, signal: AbortSignal): Promise<Response> {
    return this.#api.reply("POST", "/api/pictures", { prompt, ...drawing }, signal);
  }
}
