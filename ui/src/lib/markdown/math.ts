// Formulas in Markdown: `$…$` and `\(…\)` inline, `$$…$$` and `\[…\]` as blocks. The TeX between the marks is kept;
// typesetting.ts renders it. The end of a block never depends on what follows a blank line or a fence, so that growing
// text is split like complete text.

import type { TokenizerAndRendererExtension, Tokens } from "marked";
import { attribute, escape } from "./escape.ts";

const OPENS = /^ {0,3}(\$\$|\\\[)/;
const ENDS = /\n[ \t]*\n|\n {0,3}(?:```|~~~)/;
const CLOSE = { $$: "$$", "\\[": "\\]", "\\(": "\\)" } as const;
const DOLLARS = /^\$(?![\s$])((?:\\[^]|[^\\$]){1,2000})\$(?!\d)/;
const MAX_FORMULA_CHARS = 4000;
const NEAR = 512;

interface Formula extends Tokens.Generic {
  readonly tex: string;
  readonly display: boolean;
}

/** The first line of `src` that matches `opens` before the paragraph ends. */
export function interrupts(src: string, opens: RegExp): number | undefined {
  const end = src.indexOf("\n\n");
  const at = (end < 0 ? src : src.slice(0, end)).search(opens);
  return at < 0 ? undefined : at + 1;
}

/** The next match of `wanted` in a line. Of a long text only the beginning is searched; `wanted` is then asked again. */
export function next(src: string, wanted: RegExp): number | undefined {
  const near = src.slice(0, NEAR);
  const at = near.search(wanted);
  if (at >= 0) return at;
  const space = near.length < src.length ? near.lastIndexOf(" ") : -1;
  return space < 0 ? undefined : space;
}

function formula({ raw, tex, display }: Formula): string {
  const shown = raw.trim();
  return `<span class="math${display ? " display" : ""}" data-tex="${attribute(tex)}">${escape(shown)}</span>`;
}

const display: TokenizerAndRendererExtension = {
  name: "display",
  level: "block",
  start: (src) => interrupts(src, /\n {0,3}(?:\$\$|\\\[)/),
  tokenizer(src) {
    const open = OPENS.exec(src);
    if (open === null) return undefined;
    const end = src.search(ENDS);
    const scope = end < 0 ? src : src.slice(0, end);
    const from = open[0].length;
    const at = scope.indexOf(CLOSE[open[1] as "$$" | "\\["], from);
    const tex = scope.slice(from, at).trim();
    if (at < 0 || tex === "") {
      const tokens = this.lexer.inline(scope.trim());
      return { type: "display", raw: scope, tex: null, tokens };
    }
    return { type: "display", raw: scope.slice(0, at + 2) + (/^[ \t]*(?:\n|$)/.exec(src.slice(at + 2))?.[0] ?? ""), tex, display: true };
  },
  renderer(token) {
    if (token["tex"] !== null) return `<p>${formula(token as Formula)}</p>\n`;
    return `<p>${this.parser.parseInline(token.tokens ?? [])}</p>\n`;
  },
};

const inline: TokenizerAndRendererExtension = {
  name: "inline",
  level: "inline",
  start: (src) => next(src, /(?<![\p{L}\p{N}])\$|\\[([]/u),
  tokenizer(src) {
    const open = src.slice(0, 2);
    if (open === "$$" || open === "\\[" || open === "\\(") {
      const at = src.slice(0, MAX_FORMULA_CHARS).indexOf(CLOSE[open], 2);
      const tex = src.slice(2, at).trim();
      if (at < 0 || tex === "") return undefined;
      return { type: "inline", raw: src.slice(0, at + 2), tex, display: open !== "\\(" };
    }
    const [raw, tex] = DOLLARS.exec(src) ?? [];
    if (raw === undefined || tex === undefined || /\s$/.test(tex)) return undefined;
    return { type: "inline", raw, tex, display: false };
  },
  renderer: (token) => formula(token as Formula),
};

export const math = [display, inline];
