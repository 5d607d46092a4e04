// The Markdown of a document that is edited: blocks that weren't changed keep the text that they were read from, and only
// the others are written again. Positions in the document have their places in that text.

import type { Node } from "prosemirror-model";
import type { Links } from "../../markdown/render.ts";
import { difference, type TextRange } from "../patches.ts";
import { inheritEscaping, type Point } from "./inline.ts";
import { type Block, documentOf, parse, type Parsed } from "./parse.ts";
import { isList, schema } from "./schema.ts";
import { serialize, withOtherMarker } from "./serialize.ts";

interface Entry {
  readonly source: string;
  readonly before: string;
  /** The block before it in the text that both were read from; undefined for a block that was written again. */
  readonly previous: Entry | null | undefined;
}

interface Placed {
  readonly node: Node;
  readonly at: number;
  readonly source: string;
  /** The character of the text at which its source begins. */
  readonly offset: number;
}

/** A block that wasn't changed but reads otherwise, as an address or a note that it names was. */
export interface Reread {
  readonly at: number;
  readonly before: Node;
  readonly node: Node;
}

const DEFINITION = /^[ \t>*+-]*\[[^\]]+\]:/m;
const FROM = "\ue000";
const TO = "\ue001";

export class MarkdownSource {
  #doc: Node;
  #text: string;
  #links: Links;
  #tail: string;
  #placed: readonly Placed[] = [];
  #hasOtherDefinitions = false;
  readonly #entries = new WeakMap<Node, Entry>();
  /** Sources of blocks that were changed, by what they would be written as: a change that is undone brings them back. */
  readonly #earlier = new Map<string, string>();

  constructor(text: string) {
    const { blocks, links, tail } = parse(text);
    this.#doc = documentOf(blocks);
    [this.#links, this.#tail, this.#text] = [links, tail, text];
    this.#remember(this.#doc, blocks);
    this.#join();
  }

  get doc(): Node {
    return this.#doc;
  }

  get text(): string {
    return this.#text;
  }

  /** The addresses that are defined in the text, by their labels. */
  get links(): Links {
    return this.#links;
  }

  /** Take a changed document, and return its Markdown. */
  update(doc: Node): string {
    if (doc === this.#doc) return this.#text;
    this.#inherit(this.#doc, doc);
    this.#doc = doc;
    this.#text = this.#join();
    return this.#text;
  }

  /** The blocks that read otherwise since the last time, as definitions in the text changed. Take them with `update`. */
  reread(): Reread[] {
    if (!this.#hasOtherDefinitions) return [];
    this.#hasOtherDefinitions = false;
    this.#links = parse(this.#text).links;
    const found: Reread[] = [];
    for (const { node: before, at, source } of this.#placed) {
      const { blocks } = parse(source, this.#links);
      const [{ node } = { node: before }] = blocks;
      const entry = this.#entries.get(before);
      if (blocks.length !== 1 || node.eq(before) || entry?.source !== source) continue;
      this.#entries.set(node, entry);
      found.push({ at, before, node });
    }
    return found;
  }

  /** Take a document that was read from `text`. */
  adopt(doc: Node, text: string, { blocks, links, tail }: Parsed): void {
    [this.#doc, this.#links, this.#tail, this.#text] = [doc, links, tail, text];
    this.#remember(doc, blocks);
    this.#join();
  }

  /** The range of the text that is written for a part of the document. Where marks don't allow it, it is a bit more. */
  range(from: number, to: number): TextRange {
    const first = this.#placed.findLast(({ at }) => at <= from) ?? this.#placed[0];
    const last = this.#placed.findLast(({ at }) => at < to) ?? first;
    if (first === undefined || last === undefined) return { from: 0, to: this.#text.length };
    const start: Point = { at: from, sign: FROM, end: false };
    const end: Point = { at: to, sign: TO, end: true };
    const begin = this.#find(first, first === last ? [start, end] : [start]).from;
    return { from: begin, to: Math.max(begin, this.#find(last, first === last ? [start, end] : [end]).to) };
  }

  #find({ node, at, source, offset }: Placed, points: readonly Point[]): TextRange {
    const text = serialize(node, at, { links: this.#links, points });
    const written = text.replace(FROM, "").replace(TO, "");
    const place = (sign: string, other: string, whole: number) => {
      const found = text.replace(other, "").indexOf(sign);
      return offset + (found < 0 ? whole : (placeIn(found, written, source) ?? whole));
    };
    return { from: place(FROM, TO, 0), to: place(TO, FROM, source.length) };
  }

  #remember(doc: Node, blocks: readonly Block[]): void {
    let previous: Entry | null = null;
    blocks.forEach(({ source, before }, index) => {
      const entry: Entry = { source, before, previous };
      this.#entries.set(doc.child(index), entry);
      previous = entry;
    });
  }

  #write(node: Node): string {
    return serialize(node, 0, { links: this.#links, points: [] });
  }

  /** Write blocks that changed; they keep the space before those that they replace. */
  #inherit(old: Node, doc: Node): void {
    let same = 0;
    while (same < old.childCount && same < doc.childCount && old.child(same) === doc.child(same)) same++;
    let end = 0;
    while (end < old.childCount - same && end < doc.childCount - same && old.child(old.childCount - 1 - end) === doc.child(doc.childCount - 1 - end)) end++;
    for (let at = same; at < old.childCount - end; at++) {
      const node = old.child(at);
      const entry = this.#entries.get(node);
      this.#hasOtherDefinitions ||= DEFINITION.test(entry?.source ?? "");
      if (entry?.previous !== undefined) this.#earlier.set(this.#write(node), entry.source);
    }
    for (let at = same; at < doc.childCount - end; at++) {
      const node = doc.child(at);
      if (!this.#entries.has(node)) {
        if (at < old.childCount - end) inheritEscaping(old.child(at), node);
        const written = this.#write(node);
        const replaced = at < old.childCount - end ? this.#entries.get(old.child(at)) : undefined;
        this.#entries.set(node, { source: this.#earlier.get(written) ?? written, before: replaced?.before ?? "\n\n", previous: undefined });
      }
      this.#hasOtherDefinitions ||= DEFINITION.test(this.#entries.get(node)?.source ?? "");
    }
  }

  /** Put the blocks one after another: the text, and where each block is in it. */
  #join(): string {
    const placed: Placed[] = [];
    let text = "";
    let last: { node: Node; entry: Entry; source: string } | null = null;
    this.#doc.forEach((node, at) => {
      const entry = this.#entries.get(node);
      if (entry === undefined || entry.source === "") return;
      const isNew = last === null ? entry.previous !== null : entry.previous !== last.entry;
      if (last !== null && isNew && last.node.type === schema.nodes.codeBlock && !isClosed(last.source)) {
        const closed = this.#write(last.node);
        text = text.slice(0, text.length - last.source.length) + closed;
        placed.push({ ...(placed.pop() as Placed), source: closed });
      }
      const joins = last !== null && isNew && isList(node) && last.node.type === node.type && markerOf(last.source) === markerOf(entry.source);
      const isIndented = last !== null && isNew && (isList(last.node) || last.node.type === schema.nodes.sourceBlock) && /^[ \t]/.test(entry.source);
      const source = joins ? this.#write(withOtherMarker(node)) : isIndented ? this.#write(node).trimStart() : entry.source;
      text += isNew ? gap(last, entry) : entry.before;
      placed.push({ node, at, source, offset: text.length });
      text += source;
      last = { node, entry, source };
    });
    this.#placed = placed;
    return text === "" ? "" : text + this.#tail;
  }
}

/** The place in a block's source of a place in what it would be written as; null where the two differ. */
function placeIn(at: number, written: string, source: string): number | null {
  const { from, to, insert } = difference(written, source);
  if (at <= from) return at;
  return at >= to ? at - to + from + insert.length : null;
}

/** The space between two blocks that didn't follow each other. */
function gap(last: { node: Node } | null, { before }: Entry): string {
  if (last === null) return "";
  if (/\n[ \t]*\n/.test(before)) return before;
  return before === "\n" && last.node.type === schema.nodes.heading ? before : "\n\n";
}

function isClosed(source: string): boolean {
  const fence = /^ {0,3}(`{3,}|~{3,})/.exec(source)?.[1];
  return fence === undefined || new RegExp(`\\n {0,3}${fence}[\`~]*[ \\t]*$`).test(source);
}

function markerOf(source: string): string {
  return /^\s*(?:\d+([.)])|([-*+]))/.exec(source)?.slice(1).find(Boolean) ?? "";
}
