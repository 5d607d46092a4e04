// Turns the marks that citations.ts put after sentences into buttons: a source's number, a question mark where no source
// supports the sentence, or an equals sign where a calculation gave its figures.

import type { TokenizerAndRendererExtension } from "marked";
import { t } from "../i18n/translate.ts";
import { attribute } from "./escape.ts";
import { MARK_SIGN } from "./citations.ts";
import { next } from "./math.ts";

const MARK = new RegExp(`^${MARK_SIGN}([cdf]\\d+)\\.(\\d*)${MARK_SIGN}`);
const SIGNS = new RegExp(`${MARK_SIGN}(?:[cdf]\\d+\\.\\d*${MARK_SIGN})?`, "g");

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
    const kind = number !== "" ? "cite" : key.startsWith("f") ? "figure" : "doubt";
    const label = kind === "cite" ? t("sourceMark", { number }) : t(kind === "figure" ? "figureMark" : "doubtMark");
    return `<sup class="source"><button type="button" class="${kind}" data-do="source" data-source="${key}" aria-label="${attribute(label)}" title="${attribute(label)}">${number || (kind === "figure" ? "=" : "?")}</button></sup>`;
  },
};

/** Remove marks that can't become buttons, as within code. */
export function unmarked(html: string): string {
  return html.replace(SIGNS, "");
}
