// FilePage, libraries and pages as the server tells of them. It counts characters where JavaScript counts UTF-16 units.

import type { Passage } from "../api/events.ts";
import { formatNumber, t } from "./i18n/translate.ts";
import { webOrigin } from "./web.ts";
import type { FileState } from "../api/files.ts";

/** A message takes so many. */
export const MAX_ATTACHMENTS = 50;

/** How far a file is; null where it is gone, undefined while that is not known. */
export function readingProgress(file: FileState | null | undefined): string {
  if (file === undefined) return "";
  if (file === null) return t("fileGone");
  switch (file.state) {
    case "queued":
      return t("fileQueued");
    case "reading":
      return file.pages === null
        ? t("fileReading", { page: file.pages_read })
        : t("fileReadingOf", { page: Math.min(file.pages_read + 1, file.pages), pages: file.pages });
    case "ready":
      return t("fileReady");
    case "failed":
      return t("fileFailed");
  }
}

const IMAGE = /\.(png|jpe?g|gif|webp|tiff?|bmp|hei[cf]|avif|svg)$/i;

/** The page of a photo on which stands what can be told of it without seeing it. */
export const PHOTO_DESCRIPTION_PAGE = 2;

/** What the server calls the pages that follow a photo. */
const OF_PHOTOS = { "simple description": "pageDescription", "where it was taken": "pageTaken" } as const;

/** Whether a file of this name is a picture. */
export function isImageFile(name: string): boolean {
  return IMAGE.test(name);
}

/** `page 4`, `page xii`, or what a sheet or a file of an archive calls itself; nothing where a file has no pages. */
export function pageName(page: number, label: string | null): string {
  const known = OF_PHOTOS[label as keyof typeof OF_PHOTOS] as (typeof OF_PHOTOS)[keyof typeof OF_PHOTOS] | undefined;
  if (known !== undefined) return t(known);
  const plain = label === null || /^[\divxlcdm.–-]+$/i.test(label);
  return plain ? t("onPage", { page: label ?? formatNumber(page) }) : label;
}

/** Where a passage stands, or character `at` of its document: `report.pdf, page 4`; of what has no pages `notes.md, Fees`;
 * of a page of the web `Title, example.org, 24 November 2026`. */
export function passageLocation({ name, member, heading, breaks, page, label, ...rest }: Passage, at = rest.start): string {
  if (rest.url) return [name, webOrigin(rest)].join(", ");
  const found = breaks?.findLast(({ start }) => start <= at) ?? { page, label };
  const place = found.label === "" ? heading.at(-1) : pageName(found.page, found.label);
  return [member === null ? name : `${name} › ${member}`, place].filter((part) => part).join(", ");
}

/** Where character `count` of `text` is in UTF-16 units. */
export function utf16Offset(text: string, count: number): number {
  if (!/[\ud800-\udbff]/.test(text)) return Math.min(count, text.length);
  let at = 0;
  for (let i = 0; i < count && at < text.length; i++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

/** How many characters `text` has. */
export function characterCount(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}
