// Footnotes: `[^1]` in the text, and `[^1]: …` on a line of its own, continued on indented lines. A note is rendered
// where it was written. Its name is kept among the link definitions, so that a mark counts only when its note exists.

import type { TokenizerAndRendererExtension } from "marked";
import { t } from "../i18n/translate.ts";
import { attribute, escape } from "./escape.ts";
import { interrupts, next } from "./math.ts";

const MARK = /^\[\^([^\]\s^[]{1,40})\]/;
const NOTE = /^ {0,3}\[\^([^\]\s^[]{1,40})\]:[ \t]*[^\n]*(?:\n|$)(?:(?: {2}|\t)[ \t]*[^\s][^\n]*(?:\n|$)|(?:[ \t]*\n)+(?: {4}|\t)[ \t]*[^\s][^\n]*(?:\n|$))*/;

function key(label: string): string {
  return `^${label.toLowerCase()}`;
}

const note: TokenizerAndRendererExtension = {
  name: "note",
  level: "block",
  start: (src) => interrupts(src, /\n {0,3}\[\^[^\]\s^[]{1,40}\]:/),
  tokenizer(src) {
    const [raw, label] = NOTE.exec(src) ?? [];
    if (raw === undefined || label === undefined) return undefined;
    this.lexer.tokens.links[key(label)] ??= { href: "#", title: "" };
    const text = raw.replace(/^[^\]]*\]:[ \t]*/, "").replace(/^(?: {1,4}|\t)/gm, "");
    return { type: "note", raw, label, tokens: this.lexer.blockTokens(text, []) };
  },
  renderer(token) {
    const label = String(token["label"]);
    const back = `<button type="button" data-do="back" aria-label="${attribute(t("noteBack", { label }))}">↩</button>`;
    const body = this.parser.parse(token.tokens ?? []);
    return `<div class="note" role="note" tabindex="-1" data-note="${attribute(label)}"><span>${escape(label)}</span><div>${body}</div>${back}</div>\n`;
  },
};

const mark: TokenizerAndRendererExtension = {
  name: "mark",
  level: "inline",
  start: (src) => next(src, /\[\^/),
  tokenizer(src) {
    const [raw, label] = MARK.exec(src) ?? [];
    if (raw === undefined || label === undefined || this.lexer.tokens.links[key(label)] === undefined) return undefined;
    return { type: "mark", raw, label };
  },
  renderer(token) {
    const label = String(token["label"]);
    const named = `aria-label="${attribute(t("note", { label }))}"`;
    return `<sup><button type="button" class="mark" data-do="note" data-note="${attribute(label)}" ${named}>${escape(label)}</button></sup>`;
  },
};

export const footnotes = [note, mark];
