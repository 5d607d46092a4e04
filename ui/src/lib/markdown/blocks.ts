// Splits growing Markdown into top-level blocks, so that each update parses and renders only the last ones.

import type { Token } from "marked";
import { html, lex, type Links } from "./render.ts";

export interface Block {
  /** Its Markdown source; the sources of all blocks joined are the text. */
  readonly source: string;
  readonly html: string;
}

/** More text can still change this many blocks at the end, such as a list and a paragraph that may yet join it. */
const UNSETTLED_BLOCKS = 3;

export class Blocks {
  #text = "";
  #blocks: Block[] = [];
  /** All link definitions of the text, and those that are settled. */
  #links: Links = {};
  #settledLinks: Links = {};
  /** How many blocks, and how much of the text, more text can't change. */
  #settled = 0;
  #offset = 0;

  /** The blocks of `text`, which usually continues the text of the last call. Unchanged blocks are the same objects. */
  update(source: string): readonly Block[] {
    const text = source.replace(/\r\n?/g, "\n");
    if (!text.startsWith(this.#text)) this.#unsettle(); // a mark was inserted; the blocks before it stay
    this.#text = text;
    let lexed = lex(text.slice(this.#offset), this.#settledLinks);
    const linked = sameLinks(lexed.links, this.#links);
    if (!linked && this.#settled > 0) {
      this.#unsettle();
      lexed = lex(text, {});
    }
    this.#links = lexed.links;
    this.#replaceTail(group(lexed.tokens), linked);
    return this.#blocks;
  }

  /** Like `update`, but parsed from the start, for a complete text. */
  finish(source: string): readonly Block[] {
    this.#unsettle();
    return this.update(source);
  }

  /** `linked` where link definitions are unchanged, so that a block with the same source is the same block. */
  #replaceTail(groups: Token[][], linked: boolean): void {
    const tail = groups.map((tokens, i) => this.#block(tokens, this.#settled + i, linked));
    const before = this.#blocks;
    const after = [...before.slice(0, this.#settled), ...tail];
    this.#blocks = after.length === before.length && after.every((block, i) => block === before[i]) ? before : after;
    for (const block of tail.slice(0, Math.max(0, tail.length - UNSETTLED_BLOCKS))) {
      this.#settled += 1;
      this.#offset += block.source.length;
      if (block.source.includes("]:")) this.#settledLinks = lex(block.source, this.#settledLinks).links;
    }
  }

  #block(tokens: Token[], index: number, linked: boolean): Block {
    const source = tokens.map((token) => token.raw).join("");
    const known = this.#blocks[index];
    if (linked && known?.source === source) return known;
    const rendered = html(tokens);
    if (known !== undefined && known.html === rendered && known.source === source) return known;
    return { source, html: rendered };
  }

  #unsettle(): void {
    this.#settled = 0;
    this.#offset = 0;
    this.#settledLinks = {};
  }
}

/** Group tokens: blank lines and definitions belong to what precedes them. */
function group(tokens: Token[]): Token[][] {
  const groups: Token[][] = [];
  for (const token of tokens) {
    const last = groups.at(-1);
    const attached = token.type === "space" || token.type === "def" || token.type === "text";
    if (last !== undefined && attached) last.push(token);
    else groups.push([token]);
  }
  return groups;
}

function sameLinks(a: Links, b: Links): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => a[name]?.href === b[name]?.href && a[name]?.title === b[name]?.title);
}
