// Markdown to HTML. What a model writes is text: raw HTML is shown as it stands but for a few harmless
// inline tags, links lead only to the web or to mail, and no picture is fetched from anywhere.

import { Lexer, Marked, type Token, type Tokens } from "marked";
import { say } from "../i18n/say.ts";

const INLINE = /^<\/?(?:br|sub|sup|kbd|mark|u|s|ins|del)\s*\/?>$/i;
const LINK = /^(?:https?:|mailto:)/i;
const PICTURE = /^data:image\/(?:png|jpeg|gif|webp);base64,/i;

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

const marked = new Marked({
  gfm: true,
  renderer: {
    html: ({ text }: Tokens.HTML | Tokens.Tag) => (INLINE.test(text) ? text : escape(text)),
    link({ href, tokens }: Tokens.Link) {
      const inner = this.parser.parseInline(tokens);
      if (!LINK.test(href)) return inner;
      return `<a href="${escape(href)}" target="_blank" rel="noopener noreferrer">${inner}</a>`;
    },
    image({ href, text }: Tokens.Image) {
      if (PICTURE.test(href)) return `<img src="${escape(href)}" alt="${escape(text)}">`;
      const label = escape(text || say("image"));
      return /^https?:/i.test(href)
        ? `<a href="${escape(href)}" target="_blank" rel="noopener noreferrer">${label}</a>`
        : label;
    },
    code({ text, lang }: Tokens.Code) {
      const name = escape((lang ?? "").split(/\s/)[0] ?? "");
      const bar = `<div class="bar"><span>${name}</span><button type="button">${say("copyCode")}</button></div>`;
      return `<div class="code">${bar}<pre tabindex="0"><code>${escape(text)}</code></pre></div>\n`;
    },
    table({ header, rows }: Tokens.Table) {
      const cells = (row: Tokens.TableCell[]) => row.map((cell) => this.tablecell(cell)).join("");
      const body = rows.map((row) => `<tr>${cells(row)}</tr>`).join("");
      const head = `<thead><tr>${cells(header)}</tr></thead>`;
      return `<div class="table" tabindex="0"><table>${head}<tbody>${body}</tbody></table></div>\n`;
    },
    checkbox: ({ checked }: Tokens.Checkbox) =>
      `<input type="checkbox" disabled${checked ? " checked" : ""} aria-label="${checked ? say("taskDone") : say("taskOpen")}"> `,
  },
});

export type Links = Lexer["tokens"]["links"];

/** The top-level tokens of `text`, in which links may name the definitions in `links` or in `text`. */
export function lex(text: string, links: Links): { tokens: Token[]; links: Links } {
  const lexer = new Lexer(marked.defaults);
  Object.assign(lexer.tokens.links, links);
  const tokens = lexer.lex(text);
  return { tokens, links: tokens.links };
}

export function html(tokens: Token[]): string {
  return marked.Parser.parse(tokens, marked.defaults);
}

/** The whole text at once: what the blocks must amount to. */
export function whole(text: string): string {
  return marked.parse(text, { async: false });
}
