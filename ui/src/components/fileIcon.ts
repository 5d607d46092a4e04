// The icon of a file, by its name.

import { isImageFile, isRecording } from "../lib/documents.ts";
import type { IconName } from "./Icon.svelte";

const SHEET = /\.(csv|tsv|xlsx?|xlsm|ods)$/i;
const SLIDES = /\.(pptx?|odp|key)$/i;
const IMAGE = { test: isImageFile };
const SOUND = { test: isRecording };
const MAIL = /\.(eml|msg|mbox)$/i;
const PACKED = /\.(zip|tar|tgz|gz|7z)$/i;
const BOOK = /\.(epub|fb2|mobi)$/i;

export function fileIcon(name: string): IconName {
  const kinds: readonly (readonly [{ test(name: string): boolean }, IconName])[] = [[SHEET, "sheet"], [SLIDES, "slides"], [IMAGE, "picture"], [SOUND, "sound"], [MAIL, "mail"], [PACKED, "archive"], [BOOK, "book"]];
  return kinds.find(([names]) => names.test(name))?.[1] ?? "page";
}
