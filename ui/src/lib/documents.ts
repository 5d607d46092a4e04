// Files, libraries and pages as the server tells of them. It counts characters where JavaScript counts UTF-16 units.

import type { IconName } from "../components/Icon.svelte";
import type { Attachment, Fault, Passage } from "../api/events.ts";
import { number, say } from "./i18n/translate.ts";
import { originOf } from "./web.ts";

/** A file and how far it is read; of its `chunks` those that are `embedded` are found by meaning too. */
export interface FileState extends Attachment {
  readonly created: number;
  readonly library: string | null;
  readonly state: "queued" | "reading" | "ready" | "failed";
  readonly pages: number | null;
  readonly pages_read: number;
  readonly chunks: number;
  readonly embedded: number;
  readonly fault: Fault | null;
  readonly remarks: readonly string[];
}

/** Files of one library, newest first; `next` is where those after them begin. */
export interface Files {
  readonly files: readonly FileState[];
  readonly next: string | null;
}

/** `waiting` files are not read yet, `failed` ones cannot be. */
export interface Library {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly files: number;
  readonly bytes: number;
  readonly waiting: number;
  readonly failed: number;
}

/** Characters `start` to `end` of a page. */
export interface PageBlock {
  readonly kind: "heading" | "paragraph" | "list" | "table" | "row" | "code" | "furniture";
  readonly start: number;
  readonly end: number;
  readonly level: number;
  readonly ref: string | null;
}

/** A page as text; its first character is number `start` of the document. `picture` is null where it has no fixed form. */
export interface DocumentPage {
  readonly number: number;
  readonly label: string | null;
  readonly member: string | null;
  readonly start: number;
  readonly text: string;
  readonly blocks: readonly PageBlock[];
  readonly picture: string | null;
}

/** Where words stand, in shares of a page's width and height. */
export interface Box {
  readonly page: number;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** A message takes so many. */
export const MOST_FILES = 50;

/** A size as people read it. */
export function bytes(size: number): string {
  const [value, unit] =
    size < 1000 ? [size, "byte"] : size < 1000 * 1024 ? [size / 1024, "kilobyte"] : [size / 1024 / 1024, "megabyte"];
  const unitDisplay = unit === "byte" ? "long" : "short"; // the short one of some languages has no plural
  return number(value, { style: "unit", unit, unitDisplay, maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** How far a file is; null where it is gone, undefined while that is not known. */
export function progressOf(file: FileState | null | undefined): string {
  if (file === undefined) return "";
  if (file === null) return say("fileGone");
  switch (file.state) {
    case "queued":
      return say("fileQueued");
    case "reading":
      return file.pages === null
        ? say("fileReading", { page: file.pages_read })
        : say("fileReadingOf", { page: Math.min(file.pages_read + 1, file.pages), pages: file.pages });
    case "ready":
      return say("fileReady");
    case "failed":
      return say("fileFailed");
  }
}

const SHEET = /\.(csv|tsv|xlsx?|xlsm|ods)$/i;
const SLIDES = /\.(pptx?|odp|key)$/i;
const PICTURE = /\.(png|jpe?g|gif|webp|tiff?|bmp|hei[cf]|avif|svg)$/i;
const MAIL = /\.(eml|msg|mbox)$/i;
const PACKED = /\.(zip|tar|tgz|gz|7z)$/i;
const BOOK = /\.(epub|fb2|mobi)$/i;

/** The page of a photo on which stands what can be told of it without seeing it. */
export const DESCRIPTION_PAGE = 2;

/** What the server calls the pages that follow a photo. */
const OF_PHOTOS = { "simple description": "pageDescription", "where it was taken": "pageTaken" } as const;

/** Whether a file of this name is a picture. */
export function isPicture(name: string): boolean {
  return PICTURE.test(name);
}

/** The sign for a file of this name. */
export function iconOf(name: string): IconName {
  const kinds: readonly (readonly [RegExp, IconName])[] = [[SHEET, "sheet"], [SLIDES, "slides"], [PICTURE, "picture"], [MAIL, "mail"], [PACKED, "archive"], [BOOK, "book"]];
  return kinds.find(([names]) => names.test(name))?.[1] ?? "page";
}

/** `page 4`, `page xii`, or what a sheet or a file of an archive calls itself; nothing where a file has no pages. */
export function pageName(page: number, label: string | null): string {
  const known = OF_PHOTOS[label as keyof typeof OF_PHOTOS] as (typeof OF_PHOTOS)[keyof typeof OF_PHOTOS] | undefined;
  if (known !== undefined) return say(known);
  const plain = label === null || /^[\divxlcdm.–-]+$/i.test(label);
  return plain ? say("onPage", { page: label ?? number(page) }) : label;
}

/** Where a passage stands, or character `at` of its document: `report.pdf, page 4`; of what has no pages `notes.md, Fees`;
 * of a page of the web `Title, example.org, 24 November 2026`. */
export function placeOf({ name, member, heading, breaks, page, label, ...rest }: Passage, at = rest.start): string {
  if (rest.url) return [name, originOf(rest)].join(", ");
  const found = breaks?.findLast(({ start }) => start <= at) ?? { page, label };
  const place = found.label === "" ? heading.at(-1) : pageName(found.page, found.label);
  return [member === null ? name : `${name} › ${member}`, place].filter((part) => part).join(", ");
}

/** Where character `count` of `text` is in UTF-16 units. */
export function unitOf(text: string, count: number): number {
  if (!/[\ud800-\udbff]/.test(text)) return Math.min(count, text.length);
  let at = 0;
  for (let i = 0; i < count && at < text.length; i++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

/** How many characters `text` has. */
export function characters(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}
