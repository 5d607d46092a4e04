// Files, libraries and pages in words. The server counts characters where JavaScript counts UTF-16 units.

import type { Passage } from "../api/events.ts";
import { formatNumber, t } from "./i18n/translate.ts";
import { webOrigin } from "./web.ts";
import type { FileState } from "../api/files.ts";

export const MAX_ATTACHMENTS = 50;

/** A file's reading progress in words, and how much of it can be searched by meaning. `file` is null where it was deleted, undefined where that is unknown. */
export function readingProgress(file: FileState | null | undefined): string {
  if (file === undefined) return "";
  if (file === null) return t("fileGone");
  switch (file.state) {
    case "queued":
      return t("fileQueued");
    case "reading":
      if (isRecording(file.name)) return hearingProgress(file);
      return file.pages === null
        ? t("fileReading", { page: file.pages_read })
        : t("fileReadingOf", { page: Math.min(file.pages_read + 1, file.pages), pages: file.pages });
    case "ready":
      return file.embedded > 0 && file.embedded < file.chunks
        ? t("fileEmbedding", { share: formatNumber(Math.floor((100 * file.embedded) / file.chunks) / 100, { style: "percent" }) })
        : t("fileReady");
    case "failed":
      return t("fileFailed");
  }
}

/** How far a recording was heard: its pages are minutes. */
function hearingProgress({ pages, pages_read: minute }: FileState): string {
  return pages === null ? t("fileHearing", { minute }) : t("fileHearingOf", { minute: Math.min(minute + 1, pages), minutes: pages });
}

const RECORDING = /\.(wav|mp3|m4[ab]|og[gav]|opus|weba|webm|flac|aac|aiff?|amr|wma|mp4|m4v|mov|mkv|avi|mpe?g|caf|3gp)$/i;

/** True for the file name of a recording or a film. */
export function isRecording(name: string): boolean {
  return RECORDING.test(name);
}

/** A moment of a recording, such as 12:40 or 1:02:05. */
export function formatMoment(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}

const IMAGE = /\.(png|jpe?g|gif|webp|tiff?|bmp|hei[cf]|avif|svg)$/i;

/** The page of a photo that describes it in words. */
export const PHOTO_DESCRIPTION_PAGE = 2;

/** The server's name of that page. */
export const PHOTO_DESCRIPTION = "simple description";

/** The server's names of the pages that follow a photo. */
const OF_PHOTOS = { [PHOTO_DESCRIPTION]: "pageDescription", "where it was taken": "pageTaken" } as const;

/** True for the file name of an image. */
export function isImageFile(name: string): boolean {
  return IMAGE.test(name);
}

/** `page 4`, `page xii`, or the label of a sheet or an archive member; empty where a file has no pages. */
export function pageName(page: number, label: string | null): string {
  const known = OF_PHOTOS[label as keyof typeof OF_PHOTOS] as (typeof OF_PHOTOS)[keyof typeof OF_PHOTOS] | undefined;
  if (known !== undefined) return t(known);
  const plain = label === null || /^[\divxlcdm.–-]+$/i.test(label);
  return plain ? t("onPage", { page: label ?? formatNumber(page) }) : label;
}

/** The location of a passage, or of character `at` of its document: `report.pdf, page 4`; without pages `notes.md,
 * Fees`; on the web `Title, example.org, 24 November 2026`. */
export function passageLocation({ name, member, heading, breaks, page, label, ...rest }: Passage, at = rest.start): string {
  if (rest.url) return [name, webOrigin(rest)].join(", ");
  const found = breaks?.findLast(({ start }) => start <= at) ?? { page, label };
  const place = found.label === "" ? heading.at(-1) : pageName(found.page, found.label);
  return [member === null ? name : `${name} › ${member}`, place].filter((part) => part).join(", ");
}

/** The UTF-16 offset of character `count` of `text`. */
export function utf16Offset(text: string, count: number): number {
  if (!/[\ud800-\udbff]/.test(text)) return Math.min(count, text.length);
  let at = 0;
  for (let i = 0; i < count && at < text.length; i++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

/** The number of characters of `text`. */
export function characterCount(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}
