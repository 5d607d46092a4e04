// Renders Markdown to HTML. A model's text is untrusted: raw HTML is shown as text but for a few harmless inline tags,
// links lead only to the web, to mail or to a heading, and no image is fetched. Buttons name their action in `data-do`;
// gestures.ts runs it.

import { Lexer, Marked, type Token, type Tokens } from "marked";
import { t } from "../i18n/translate.ts";
import { attribute, escape, shown } from "./escape.ts";
import { footnotes } from "./footnotes.ts";
import { language } from "./codeLanguages.ts";
import { source, unmarked } from "./citationMark.ts";
import { math } from "./math.ts";

const INLINE = /^<\/?(?:br|sub|sup|kbd|mark|u|s|ins|del)\s*\/?>$/i;
const INTERRUPTS = /\n {0,3}(?:\$\$|\\\[|\[\^[^\]\s^[]{1,40}\]:)/;
/** Deeper nesting of quotes and lists is not real text, and would overflow the stack. */
const DEEP = /^(?: {0,3}(?:>|[-*+][ \t]|\d{1,9}[.)][ \t])[ \t]?){32}/;
/** A block of code whose last line is a fence like its first. */
const CLOSED = /^ {0,3}(`{3,}(?!`)|~{3,}(?!~))[^]*\n {0,3}\1[`~]*[ \t]*\n*$/;
const PICTURE = /^data:image\/(?:png|jpeg|gif|webp);base64,/i;

/** The opening tag of a link to `href`; null for an address that isn't web, mail or a heading. */
function anchor(href: string): string | null {
  if (/^#./.test(href)) return `<a href="${attribute(href)}">`;
  const url = URL.parse(href);
  if (url === null) return null;
  if (url.protocol === "mailto:") return `<a href="${attribute(href)}">`;
  if (url.protocol !== "https:" && url.protocol !== "http:") return null;
  const title = attribute(t("external", { host: url.host }));
  return `<a class="external" href="${attribute(href)}" title="${title}" target="_blank" rel="noopener noreferrer">`;
}

function button(does: string, label: string, more = ""): string {
  return `<button type="button" data-do="${does}"${more}>${label}</button>`;
}

const marked = new Marked({
  gfm: true,
  breaks: true, // line breaks in poems, addresses and lists are meant
  renderer: {
    html: ({ text }: Tokens.HTML | Tokens.Tag) => (INLINE.test(text) ? text : escape(text)),
    link({ href, tokens }: Tokens.Link) {
      const inner = this.parser.parseInline(tokens);
      const opening = anchor(href);
      return opening === null ? inner : `${opening}${inner}</a>`;
    },
    image({ href, text }: Tokens.Image) {
      const label = text || t("image");
      if (PICTURE.test(href)) {
        const named = `aria-label="${attribute(t("enlarge", { name: label }))}"`;
        const picture = `<img src="${attribute(href)}" alt="${attribute(text)}">`;
        return `<button type="button" class="picture" data-do="enlarge" ${named}>${picture}</button>`;
      }
      const opening = anchor(href);
      return opening === null ? escape(label) : `${opening}${escape(label)}</a>`;
    },
    code({ text, lang, raw }: Tokens.Code) {
      const info = lang ?? "";
      const name = /^[^\s:{,]*/.exec(info)?.[0] ?? "";
      const known = language(name);
      const tools = [
        button("canvas", t("canvasOpen")),
        button("wrap", t("wrapCode"), ' aria-pressed="false"'),
        button("save", t("saveCode")),
        button("copy", t("copyCode")),
      ];
      const label = `<span>${escape(known?.label ?? name)}</span>`;
      const bar = `<div class="bar">${label}<span class="tools">${tools.join("")}</span></div>`;
      const grammar = known === undefined ? "" : ` data-grammar="${known.grammar}"`;
      const body = `<pre tabindex="0"><code${grammar}>${escape(text)}</code></pre>`;
      const diagram = known?.label === "Mermaid" && CLOSED.test(raw) ? " data-diagram" : "";
      return `<div class="code" data-info="${attribute(info)}"${diagram}>${bar}${body}</div>\n`;
    },
    table({ header, rows }: Tokens.Table) {
      const cells = (row: Tokens.TableCell[]) => row.map((cell) => this.tablecell(cell)).join("");
      const body = rows.map((row) => `<tr>${cells(row)}</tr>`).join("");
      const table = `<table><thead><tr>${cells(header)}</tr></thead><tbody>${body}</tbody></table>`;
      const tools = `<div class="table-tools">${button("csv", t("copyCsv"))}</div>`;
      return `<div class="table"><div class="wide" tabindex="0">${table}</div>${tools}</div>\n`;
    },
    listitem(item: Tokens.ListItem) {
      return `<li${item.task ? ' class="task"' : ""}>${this.parser.parse(item.tokens)}</li>\n`;
    },
    checkbox: ({ checked }: Tokens.Checkbox) =>
      `<input type="checkbox" disabled${checked ? " checked" : ""} aria-label="${checked ? t("taskDone") : t("taskOpen")}"> `,
  },
});
marked.use({
  extensions: [...math, ...footnotes, source],
  tokenizer: {
    blockquote: (src) => (DEEP.test(src) ? undefined : false),
    list: (src) => (DEEP.test(src) ? undefined : false),
    /** Underlined headings end where a formula or a footnote begins, as paragraphs do. */
    lheading(src) {
      const found = this.rules.block.lheading.exec(src);
      return found !== null && INTERRUPTS.test(found[0]) ? undefined : false;
    },
  },
});

export type Links = Lexer["tokens"]["links"];

/** The top-level tokens of `text`, whose links may use the definitions in `links` or in `text`. */
export function lex(text: string, links: Links): { tokens: Token[]; links: Links } {
  const lexer = new Lexer(marked.defaults);
  Object.assign(lexer.tokens.links, links);
  const tokens = withinStack(() => lexer.lex(text)) ?? [plainParagraph(text)];
  return { tokens, links: lexer.tokens.links };
}

export function html(tokens: Token[]): string {
  const rendered = withinStack(() => marked.Parser.parse(tokens, marked.defaults));
  return shown(unmarked(rendered ?? marked.Parser.parse([plainParagraph(tokens.map(({ raw }) => raw).join(""))], marked.defaults)));
}

/** The whole text at once: the blocks must render the same. */
export function renderDocument(text: string): string {
  return html(lex(text.replace(/\r\n?/g, "\n"), {}).tokens);
}

/** The result of `work`, or null for text nested deeper than the stack, such as a thousand nested quotes. */
function withinStack<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function plainParagraph(text: string): Tokens.Paragraph {
  return { type: "paragraph", raw: text, text, tokens: [{ type: "text", raw: text, text, escaped: false } as Tokens.Text] };
}
