// Reads Markdown into the document of the rich-text editor: as the page shows answers, so that both agree.

import type { Mark, Node } from "prosemirror-model";
import type { Token, Tokens } from "marked";
import { lex, type Links } from "../../markdown/render.ts";
import { schema, TAGS } from "./schema.ts";

export interface Block {
  readonly node: Node;
  /** Its Markdown. */
  readonly source: string;
  /** The blank space between it and the block before, or the beginning of the text. */
  readonly before: string;
}

export interface Parsed {
  readonly blocks: readonly Block[];
  /** The blank space at the end. */
  readonly tail: string;
  readonly links: Links;
}

/** Markdown of items of lists and of rows of tables, by the node; a header's has the line below it. */
export const itemSources = new WeakMap<Node, string>();
export const rowSources = new WeakMap<Node, string>();

const FRONT_MATTER = /^---\n(?:[\w-]+:[^\n]*\n|[ \t#-][^\n]*\n)+---(?=\n|$)/;
const ENTITY = /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,31}));/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };
const ESCAPED = /\\([!-/:-@[-`{-~])/g;
const OPEN_TAG = new RegExp(`^<(${TAGS.join("|")})\\s*>$`, "i");
const BREAK_TAG = /^<br\s*\/?>$/i;

/** The blocks of a text; their sources and the blank space between them are the text. Lines end with `\n`. */
export function parse(text: string, known: Links = {}): Parsed {
  const front = FRONT_MATTER.exec(text)?.[0] ?? "";
  const { tokens, links } = lex(text.slice(front.length), known);
  const blocks: Block[] = [];
  let at = 0;
  let before = "";
  const take = (raw: string, node: Node) => {
    const source = raw.replace(/\n[ \t\n]*$/, "");
    blocks.push({ node, source, before });
    before = raw.slice(source.length);
    at += raw.length;
  };
  if (front !== "") take(front, sourceBlock(front));
  for (const token of tokens) {
    if (!text.startsWith(token.raw, at)) break; // a token that isn't what was written: the rest stays as it is
    if (token.raw.trim() === "") {
      before += token.raw;
      at += token.raw.length;
    } else take(token.raw, blockOf(token));
  }
  const rest = text.slice(at);
  if (rest.trim() === "") return { blocks, tail: before + rest, links };
  take(rest, sourceBlock(rest.trimEnd()));
  return { blocks, tail: before, links };
}

/** True for a block that is front matter, which it is at the beginning of a text alone. */
export function isFrontMatter({ type, textContent }: Node): boolean {
  return type === schema.nodes.sourceBlock && FRONT_MATTER.exec(textContent)?.[0] === textContent;
}

/** The document of blocks; a text of none has an empty paragraph to write in. */
export function documentOf(blocks: readonly Block[]): Node {
  return schema.nodes.doc.create(null, blocks.length === 0 ? schema.nodes.paragraph.create() : blocks.map(({ node }) => node));
}

function sourceBlock(text: string): Node {
  return schema.nodes.sourceBlock.create(null, plain(text, []));
}

function blockOf(token: Token): Node {
  const { nodes } = schema;
  switch (token.type) {
    case "paragraph":
    case "text":
      return nodes.paragraph.create(null, inline(childrenOf(token)));
    case "display":
      if ((token as Tokens.Generic)["tex"] === null) return nodes.paragraph.create(null, inline(childrenOf(token)));
      return sourceBlock(token.raw.trim());
    case "heading":
      return nodes.heading.create({ level: (token as Tokens.Heading).depth }, inline(childrenOf(token), [], " "));
    case "blockquote":
      return nodes.blockquote.create(null, blocksOf(childrenOf(token)));
    case "list":
      return listOf(token as Tokens.List);
    case "code":
      return nodes.codeBlock.create({ info: (token as Tokens.Code).lang ?? "" }, plain((token as Tokens.Code).text, []));
    case "hr":
      return nodes.rule.create();
    case "table":
      return tableOf(token as Tokens.Table);
    default:
      return sourceBlock(token.raw.replace(/\n+$/, ""));
  }
}

function childrenOf(token: Token): Token[] {
  return "tokens" in token ? (token.tokens ?? []) : [];
}

function blocksOf(tokens: readonly Token[]): Node[] {
  const found = tokens.filter(({ type, raw }) => type !== "checkbox" && raw.trim() !== "").map(blockOf);
  return found.length === 0 ? [schema.nodes.paragraph.create()] : found;
}

function listOf({ raw, ordered, start, loose, items }: Tokens.List): Node {
  const children = items.map((item) => {
    const [first] = item.tokens;
    const box = !item.task && (first?.type === "text" || first?.type === "paragraph") ? /^\[([ xX])\]\s*$/.exec(first.raw) : null;
    const checked = box !== null ? box[1] !== " " : item.task ? item.checked === true : null;
    const blocks = box === null ? blocksOf(item.tokens) : [schema.nodes.paragraph.create(), ...(item.tokens.length > 1 ? blocksOf(item.tokens.slice(1)) : [])];
    const node = schema.nodes.listItem.create({ checked }, blocks);
    itemSources.set(node, item.raw.trimEnd());
    return node;
  });
  if (!ordered) return schema.nodes.bulletList.create({ tight: !loose, marker: raw.trimStart().charAt(0) }, children);
  const marker = /\d([.)])/.exec(raw)?.[1] ?? ".";
  return schema.nodes.orderedList.create({ tight: !loose, marker, order: Number(start) }, children);
}

function tableOf({ raw, header, rows, align }: Tokens.Table): Node {
  const lines = raw.trimEnd().split("\n");
  const [first = "", delimiter = ""] = lines;
  const row = (cells: readonly Tokens.TableCell[], type: "table_header" | "table_cell", source: string | undefined) => {
    const node = schema.nodes.table_row.create(null, cells.map(({ tokens }, column) => schema.nodes[type].create({ align: align[column] ?? null }, inline(tokens))));
    if (source !== undefined) rowSources.set(node, source);
    return node;
  };
  return schema.nodes.table.create(null, [row(header, "table_header", `${first}\n${delimiter}`), ...rows.map((cells, at) => row(cells, "table_cell", lines[at + 2]))]);
}

function inline(tokens: readonly Token[], marks: readonly Mark[] = [], lineBreak: string | null = null): Node[] {
  const found: Node[] = [];
  const within = (token: Token, mark: Mark) => inline(childrenOf(token), mark.addToSet(marks), lineBreak);
  const { marks: types, nodes } = schema;
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    switch (token.type) {
      case "checkbox":
        break;
      case "text":
        if (childrenOf(token).length > 0) found.push(...inline(childrenOf(token), marks, lineBreak));
        else found.push(...decoded((token as Tokens.Text).text, marks));
        break;
      case "escape":
        found.push(...plain((token as Tokens.Escape).text, marks));
        break;
      case "strong":
        found.push(...within(token, types.strong.create()));
        break;
      case "em":
        found.push(...within(token, types.em.create()));
        break;
      case "del":
        found.push(...within(token, types.strike.create()));
        break;
      case "codespan":
        found.push(...plain((token as Tokens.Codespan).text, types.code.create().addToSet(marks)));
        break;
      case "br":
        if (lineBreak === null) found.push(nodes.hardBreak.create(null, null, marks));
        else found.push(...plain(lineBreak, marks));
        break;
      case "link": {
        const { href, title } = token as Tokens.Link;
        const shown = within(token, types.link.create({ href, title: title ?? null }));
        found.push(...(shown.some(({ isText, text }) => !isText || text?.trim() !== "") ? shown : source(token.raw, marks)));
        break;
      }
      case "image": {
        const { href, title, text } = token as Tokens.Image;
        found.push(nodes.image.create({ src: href, alt: text.replace(ESCAPED, "$1"), title: title ?? null }, null, marks));
        break;
      }
      case "html": {
        const name = OPEN_TAG.exec(token.raw)?.[1]?.toLowerCase();
        const end = name === undefined ? -1 : closing(tokens, at, name);
        if (BREAK_TAG.test(token.raw) && lineBreak === null) found.push(nodes.hardBreak.create(null, null, marks));
        else if (name === undefined || end < 0) found.push(...source(token.raw, marks));
        else {
          found.push(...inline(tokens.slice(at + 1, end), types.tag.create({ name }).addToSet(marks), lineBreak));
          at = end;
        }
        break;
      }
      default:
        found.push(...source(token.raw, marks));
    }
  }
  return found;
}

/** The place of the tag that closes the one at `open`; -1 where there is none. */
function closing(tokens: readonly Token[], open: number, name: string): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    const raw = tokens[at]?.type === "html" ? (tokens[at]?.raw.toLowerCase() ?? "") : "";
    if (OPEN_TAG.exec(raw)?.[1] === name) depth++;
    else if (raw.startsWith(`</${name}`) && --depth === 0) return at;
  }
  return -1;
}

function plain(text: string, marks: readonly Mark[]): Node[] {
  return text === "" ? [] : [schema.text(text, marks)];
}

function source(raw: string, marks: readonly Mark[]): Node[] {
  return plain(raw, schema.marks.source.create().addToSet(marks));
}

/** Text with its entities as characters; those that aren't known stay as they were written. */
function decoded(text: string, marks: readonly Mark[]): Node[] {
  const found: Node[] = [];
  let known = "";
  let at = 0;
  for (const match of text.matchAll(ENTITY)) {
    const [raw, decimal, hex, name] = match;
    known += text.slice(at, match.index);
    at = match.index + raw.length;
    const code = decimal !== undefined ? Number(decimal) : hex !== undefined ? Number.parseInt(hex, 16) : null;
    const character = code === null ? ENTITIES[name ?? ""] : code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : undefined;
    if (character !== undefined && character !== "\n") known += character;
    else {
      found.push(...plain(known, marks), ...source(raw, marks));
      known = "";
    }
  }
  return [...found, ...plain(known + text.slice(at), marks)];
}
