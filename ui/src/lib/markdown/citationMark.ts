// The marks that `cited.ts` put behind sentences become buttons: the number of a source, or a question mark where no
// source says so.

import type { TokenizerAndRendererExtension } from "marked";
import { t } from "../i18n/translate.ts";
import { attribute } from "./escape.ts";
import { SIGN } from "./citations.ts";
import { next } from "./math.ts";

const MARK = new RegExp(`^${SIGN}([cd]\\d+)\\.(\\d*)${SIGN}`);
const SIGNS = new RegExp(`${SIGN}(?:[cd]\\d+\\.\\d*${SIGN})?`, "g");

export const source: TokenizerAndRendererExtension = {
  name: "source",
  level: "inline",
  start: (src) => next(src, /\ufffc/),
  tokenizer(src) {
    const [raw, key, number] = MARK.exec(src) ?? [];
    return raw === undefined ? undefined : { type: "source", raw, key, number };
  },
  renderer(token) {
    const [key, number] = [String(token["key"]), String(token["number"])];
    const label = number === "" ? t("doubtMark") : t("sourceMark", { number });
    const kind = number === "" ? "doubt" : "cite";
    return `<sup class="source"><button type="button" class="${kind}" data-do="source" data-source="${key}" aria-label="${attribute(label)}" title="${attribute(label)}">${number || "?"}</button></sup>`;
  },
};

/** HTML without marks where no button could be made of them, as within code. */
export function unmarked(html: string): string {
  return html.replace(SIGNS, "");
}
