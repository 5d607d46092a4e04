// Writes words with their marks as Markdown. Of several ways to write them the plainest is taken that reads back as the
// same words: without any escapes, with those of one kind, with all.

import { Mark, type Node } from "prosemirror-model";
import type { Links } from "../../markdown/render.ts";
import { parse } from "./parse.ts";
import { schema } from "./schema.ts";

/** A position whose place in the Markdown is wanted: the sign stands there in what is written. */
export interface Point {
  readonly at: number;
  readonly sign: string;
  readonly end: boolean;
}

export interface Context {
  readonly links: Links;
  readonly points: readonly Point[];
}

/** The kind of text block that the words are in. */
export type Place = "paragraph" | "heading" | "cell";

/** Words of the same marks, a line break or an image. `at` is their place in the document. */
interface Piece {
  readonly node: Node;
  readonly text: string | null;
  readonly marks: readonly Mark[];
  readonly at: number;
}

/** Marks as Markdown can hold them. */
interface Trimming {
  /** Characters that can't stand at the edge of a mark, and are put outside. */
  readonly edge: RegExp;
  /** Runs of marks that are left out, as `runsOf` names them. */
  readonly without: ReadonlySet<string>;
}

interface Escaping extends Trimming {
  /** Characters that get a backslash. */
  readonly escaped: string;
  /** Also escape characters that mean something at the beginning of a line. */
  readonly starts: boolean;
  /** Characters by their numbers rather than with a backslash. */
  readonly numbered: boolean;
  readonly em: "*" | "_";
}

const BREAK = /^\s$/u;
const BREAK_OR_SIGN = /^[\s\p{P}\p{S}]$/u;
const KINDS = ["*", "_", "~", "`", "<", "&", "]", "!", "$", "#", "|", "\u00a0"] as const;
const ALL = `\\>${KINDS.join("")}`;
const NUMBERED = `${ALL}[():./@+-=^{}"'`;
const LINE_START = /^(?:[#>+=~:-]|\d{1,9}(?=[.)]))/;
/** Marks whose delimiters can't stand beside a space. */
const FLANKING: readonly string[] = ["strong", "em", "strike"];
/** Marks that are left out where they can't be written. */
const OMITTED: readonly string[] = [...FLANKING, "link"];
const ADDRESS = /^(?:https?:\/\/[^\s<>]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)$/;
const NONE: ReadonlySet<string> = new Set();
const UNTRIMMED: Trimming = { edge: BREAK, without: NONE };
const LAST_RESORT: Escaping = { ...UNTRIMMED, escaped: ALL, starts: true, numbered: false, em: "*" };
const NUMBERS: Escaping = { ...LAST_RESORT, escaped: NUMBERED, numbered: true };
const MAX_TRIES = 50;
const MAX_COMPARED_CHARS = 20_000;
const MAX_EXHAUSTED_CHARS = 500;
const MAX_REDUCED_CHARS = 2000;

/** The Markdown of the words in a block whose content begins at `at`. */
export function inlineText(block: Node, place: Place, at: number, context: Context): string {
  if (block.content.size === 0) return "";
  const escaping = escapingOf(block, place, context.links);
  return write(pieces(block, at, escaping), escaping, place, context.points);
}

/** The escaping of a block, and whether text with the mark `source` was told from words. */
interface Found {
  readonly links: Links;
  readonly escaping: Escaping;
  readonly withSource: boolean;
}

const escapings = new WeakMap<Node, Found>();
/** The escapings of the blocks that those with the same marks were made of. */
const hints = new WeakMap<Node, Found>();

/** Remember of a block that changed how it was written: of a long one that is tried first, rather than all ways a key. */
export function inheritEscaping(before: Node, after: Node): void {
  if (before === after) return;
  if (!after.inlineContent) {
    if (before.childCount === after.childCount) after.forEach((child, _, index) => inheritEscaping(before.child(index), child));
    return;
  }
  const found = escapings.get(before);
  if (found !== undefined && before.inlineContent && runsOf(before).join() === runsOf(after).join()) hints.set(after, found);
}

/** The plainest escaping that reads back. Text with the mark `source` may no longer be what that says, such as the rest
 * of a formula: the others keep their marks then, and it is read as words. Last, marks that can't be written are left out. */
function escapingOf(block: Node, place: Place, links: Links): Escaping {
  const known = escapings.get(block);
  if (known?.links === links) return known.escaping;
  const reader = (withSource: boolean) => (escaping: Escaping) =>
    reads(write(pieces(block, 0, escaping), escaping, place, []), place, links, meaning(block, escaping, withSource), withSource);
  const text = block.textContent;
  const hint = text.length > MAX_REDUCED_CHARS ? hints.get(block) : undefined;
  if (hint !== undefined && reader(hint.withSource)(hint.escaping)) {
    escapings.set(block, { ...hint, links });
    return hint.escaping;
  }
  const candidates = candidatesFor(text);
  const isExact = reader(true);
  const exact = plainest(candidates, text, isExact);
  const escaping = exact === undefined ? (plainest(candidates, text, reader(false)) ?? omitting(block, reader(false))) : reduced(exact, text, isExact);
  escapings.set(block, { links, escaping, withSource: exact !== undefined });
  return escaping;
}

/** The first that reads back. For a long text some of the escapes aren't tried where neither none nor all of them do. */
function plainest(candidates: readonly Escaping[], text: string, isRead: (escaping: Escaping) => boolean): Escaping | undefined {
  const isTried = text.length <= MAX_EXHAUSTED_CHARS || candidates.some((each) => (each.escaped === "" || each.escaped === ALL) && isRead(each));
  return isTried ? candidates.find(isRead) : undefined;
}

/** The escaping that leaves out the fewest runs of marks; all of them stay where even none is read. */
function omitting(block: Node, isRead: (escaping: Escaping) => boolean): Escaping {
  const all = runsOf(block);
  const least = [LAST_RESORT, NUMBERS].map((each) => ({ ...each, edge: BREAK_OR_SIGN, without: new Set(all) })).find(isRead);
  if (least === undefined) return LAST_RESORT;
  let tries = MAX_TRIES;
  const withRuns = (known: Escaping, runs: readonly string[]): Escaping => {
    if (runs.length === 0 || tries-- <= 0) return known;
    const more = { ...known, without: new Set([...known.without].filter((name) => !runs.includes(name))) };
    if (isRead(more)) return more;
    if (runs.length === 1) return known;
    const half = runs.length >> 1;
    return withRuns(withRuns(known, runs.slice(0, half)), runs.slice(half));
  };
  return withRuns(least, all);
}

/** The same with as few escapes as it takes. */
function reduced(escaping: Escaping, text: string, isRead: (escaping: Escaping) => boolean): Escaping {
  if (escaping.escaped !== ALL || text.length > MAX_REDUCED_CHARS) return escaping;
  return [">", "\\", ...KINDS].reduce((least, kind) => {
    const less = { ...least, escaped: least.escaped.replace(kind, "") };
    return !text.includes(kind) || isRead(less) ? less : least;
  }, escaping);
}

function* variations(text: string): Generator<{ escaped: string; starts: boolean; numbered: boolean }> {
  const kinds = KINDS.filter((kind) => [...kind].some((character) => text.includes(character)));
  const slash = text.includes("\\") ? "\\" : "";
  for (const starts of [false, true]) {
    yield { escaped: "", starts, numbered: false };
    if (slash !== "") yield { escaped: slash, starts, numbered: false };
    for (const kind of kinds) yield { escaped: slash + kind, starts, numbered: false };
  }
  yield { escaped: ALL, starts: true, numbered: false };
  yield { escaped: NUMBERED, starts: true, numbered: true };
}

/** The ways to write a text, the plainest first; of a long one only few are tried. */
function candidatesFor(text: string): Escaping[] {
  const plain = [...variations(text)].filter(({ escaped }) => text.length <= MAX_COMPARED_CHARS || escaped === "" || escaped === ALL);
  const edges = [BREAK, BREAK_OR_SIGN] as const;
  return edges.flatMap((edge) => (["*", "_"] as const).flatMap((em) => plain.map((each) => ({ ...each, em, edge, without: NONE }))));
}

/** True where the Markdown is read as these words. */
function reads(text: string, place: Place, links: Links, wanted: string, withSource: boolean): boolean {
  if (text === "") return wanted === "";
  const whole = place === "heading" ? `# ${text}` : place === "cell" ? `| ${text} |\n| --- |` : text;
  const { blocks } = parse(whole, links);
  const [{ node } = { node: null }] = blocks;
  if (node === null || blocks.length !== 1) return false;
  const { nodes } = schema;
  if (place === "cell") return node.type === nodes.table && node.firstChild?.childCount === 1 && meaning(node.firstChild.child(0), UNTRIMMED, withSource) === wanted;
  return node.type === (place === "heading" ? nodes.heading : nodes.paragraph) && meaning(node, UNTRIMMED, withSource) === wanted;
}

/** The words of a block, for comparison: as Markdown can hold it, and addresses that are their own text as bare text.
 * `withSource` tells text with the mark `source` from words. */
export function meaning(block: Node, trimming: Trimming = UNTRIMMED, withSource = true): string {
  const found: [string, string][] = [];
  for (const { node, text, marks } of pieces(block, 0, trimming)) {
    const { link, source } = schema.marks;
    const kept = marks.filter(({ type, attrs }) => (withSource || type !== source) && (type !== link || !isOwnText(String(attrs["href"]), text ?? "")));
    const key = JSON.stringify([kept.map(({ type, attrs }) => JSON.stringify([type.name, attrs])).toSorted(), text === null ? [node.type.name, node.attrs] : null]);
    const last = found.at(-1);
    if (text !== null && last?.[1] === key) last[0] += text;
    else found.push([text ?? "", key]);
  }
  return JSON.stringify(found);
}

function isOwnText(href: string, text: string): boolean {
  return [text, `mailto:${text}`, `http://${text}`].includes(href);
}

/** The content in pieces, without what Markdown can't hold: blanks at the edges of lines and of marks. */
function pieces(block: Node, at: number, { edge, without }: Trimming): readonly Piece[] {
  const found: Piece[] = [];
  const runs = runNames(block);
  block.forEach((node, offset, index) => {
    const marks = node.marks.filter(({ type }) => !without.has(runs[index]?.get(type.name) ?? ""));
    const text = node.isText ? (node.text ?? "").replaceAll("\n", " ") : null;
    const last = found.at(-1);
    if (text !== null && last !== undefined && last.text !== null && Mark.sameSet(last.marks, marks)) found[found.length - 1] = { ...last, text: last.text + text };
    else found.push({ node, text, marks, at: at + offset });
  });
  for (const name of FLANKING) trimMarks(found, name, edge);
  return trimLines(found);
}

/** The names of the runs of marks that can be left out, by the place of the child: the mark's and a number. */
function runNames(block: Node): ReadonlyMap<string, string>[] {
  const counts = new Map<string, number>();
  return block.children.map(({ marks }, index) => {
    const before = index === 0 ? [] : block.child(index - 1).marks;
    const names = OMITTED.filter((name) => marks.some(({ type }) => type.name === name));
    for (const name of names) if (!before.some(({ type }) => type.name === name)) counts.set(name, (counts.get(name) ?? 0) + 1);
    return new Map(names.map((name) => [name, `${name}${counts.get(name)}`]));
  });
}

function runsOf(block: Node): string[] {
  return [...new Set(runNames(block).flatMap((names) => [...names.values()]))];
}

/** Take a mark from blanks at the beginning and end of what has it. */
function trimMarks(all: Piece[], name: string, edge: RegExp): void {
  const has = (piece: Piece | undefined) => piece?.marks.some(({ type }) => type.name === name) === true;
  const without = (piece: Piece): Piece => ({ ...piece, marks: piece.marks.filter(({ type }) => type.name !== name) });
  const isWord = ({ marks }: Piece) => marks.some(({ type }) => type.spec.code === true);
  for (let at = 0; at < all.length; at++) {
    const piece = all[at] as Piece;
    if (!has(piece) || has(all[at - 1])) continue;
    if (piece.text === null ? piece.node.type === schema.nodes.hardBreak : !isWord(piece) && edge.test(piece.text.charAt(0))) {
      const length = piece.text === null ? 1 : leading(piece.text, edge);
      all.splice(at, 1, ...cut(piece, length).map((part, index) => (index === 0 ? without(part) : part)));
    }
  }
  for (let at = all.length - 1; at >= 0; at--) {
    const piece = all[at] as Piece;
    if (!has(piece) || has(all[at + 1])) continue;
    if (piece.text === null ? piece.node.type === schema.nodes.hardBreak : !isWord(piece) && edge.test(piece.text.at(-1) ?? "")) {
      const { text } = piece;
      const parts = text === null ? [piece] : cut(piece, text.length - leading([...text].toReversed().join(""), edge));
      all.splice(at, 1, ...parts.map((part, index) => (index === parts.length - 1 ? without(part) : part)));
      if (parts.length > 1) at++;
    }
  }
}

function leading(text: string, edge: RegExp): number {
  let length = 0;
  while (length < text.length && edge.test(text.charAt(length))) length++;
  return length;
}

function cut(piece: Piece, length: number): Piece[] {
  if (piece.text === null || length === 0 || length >= piece.text.length) return [piece];
  return [
    { ...piece, text: piece.text.slice(0, length) },
    { ...piece, text: piece.text.slice(length), at: piece.at + length },
  ];
}

function trimLines(all: readonly Piece[]): readonly Piece[] {
  const isBreak = (piece: Piece | undefined) => piece === undefined || piece.node.type === schema.nodes.hardBreak;
  const isBlank = ({ text, marks }: Piece) => text !== null && !marks.some(({ type }) => type.spec.code === true);
  const found = [...all];
  for (let at = 0; at < found.length; at++) {
    const piece = found[at] as Piece;
    if (!isBlank(piece) || !isBreak(found[at - 1])) continue;
    const text = (piece.text ?? "").replace(/^[ \t\n]+/, "");
    if (text === "") found.splice(at--, 1);
    else found[at] = { ...piece, text, at: piece.at + (piece.text ?? "").length - text.length };
  }
  for (let at = found.length - 1; at >= 0; at--) {
    const piece = found[at] as Piece;
    if (at === found.length - 1 && isBreak(piece)) found.pop();
    else if (isBlank(piece) && isBreak(found[at + 1])) {
      const text = (piece.text ?? "").replace(/\s+$/, "");
      if (text === "") found.splice(at, 1);
      else found[at] = { ...piece, text };
    }
  }
  return found;
}

function write(all: readonly Piece[], escaping: Escaping, place: Place, points: readonly Point[]): string {
  const open: Mark[] = [];
  let out = "";
  const [first, last] = [points.find(({ end }) => !end), points.find(({ end }) => end)];
  const isShared = sharedMarks(all, first, last);
  const [from, to] = [first, last].map((point) => point && widened(all, point, isShared));
  let pending = "";
  const settle = () => {
    out += pending;
    pending = "";
  };
  const close = (down: number) => {
    while (open.length > down) {
      const mark = open.pop() as Mark;
      if (isShared(mark)) settle();
      out += closer(mark, escaping);
    }
    settle();
  };
  all.forEach((piece, index) => {
    const { node, text, at } = piece;
    const end = at + (text === null ? node.nodeSize : text.length);
    const isAddress = isBareAddress(all, index);
    const marks = piece.marks.filter(({ type }) => type.spec.code !== true && !(isAddress && type === schema.marks.link));
    const kept = open.findIndex((mark) => !mark.isInSet(marks));
    close(kept < 0 ? open.length : kept);
    const begins = from !== undefined && from.at >= at && from.at < end ? from : undefined;
    let isSet = begins === undefined || begins.at > at;
    const added = marks.filter((mark) => !mark.isInSet(open)).toSorted((a, b) => length(all, index, b) - length(all, index, a));
    for (const mark of added) {
      if (!isSet && !isShared(mark)) {
        out += begins?.sign ?? "";
        isSet = true;
      }
      out += opener(mark, escaping);
      open.push(mark);
    }
    if (!isSet) out += begins?.sign ?? "";
    const ends = to !== undefined && to.at > at && to.at <= end ? to : undefined;
    const signs: [number, string][] = [];
    if (begins !== undefined && begins.at > at) signs.push([begins.at - at, begins.sign]);
    if (ends !== undefined && ends.at < end) signs.push([ends.at - at, ends.sign]);
    const lineStart = out === "" || out.endsWith("\n");
    if (node.type === schema.nodes.hardBreak) out += place === "cell" ? "<br>" : place === "heading" ? " " : lineStart ? "\\\n" : "\n";
    else if (text === null) out += image(node);
    else if (isAddress) out += `<${withSigns([...text], signs)}>`;
    else out += words(text, piece.marks, escaping, out === "" ? "block" : lineStart ? "line" : null, signs);
    if (ends !== undefined && ends.at === end) pending = ends.sign;
  });
  close(0);
  if (place === "heading") out = out.replaceAll("\n", " ");
  return place === "cell" ? out.replaceAll("|", "\\|") : out;
}

/** Tells of a mark whether all between the two points has it: then both are within it. */
function sharedMarks(all: readonly Piece[], from: Point | undefined, to: Point | undefined): (mark: Mark) => boolean {
  if (from === undefined || to === undefined) return () => false;
  const within = all.filter((piece) => piece.at < to.at && endOf(piece) > from.at);
  return (mark) => within.length > 0 && within.every(({ marks }) => mark.isInSet(marks));
}

function endOf({ at, text, node }: Piece): number {
  return at + (text === null ? node.nodeSize : text.length);
}

/** A point that is within marks of its own goes to their edge, as their signs can't be told apart otherwise. */
function widened(all: readonly Piece[], point: Point, isShared: (mark: Mark) => boolean): Point {
  const index = all.findIndex((piece) => (point.end ? piece.at < point.at && point.at <= endOf(piece) : piece.at <= point.at && point.at < endOf(piece)));
  const step = point.end ? 1 : -1;
  let edge = index;
  const cut = all[index]?.marks.filter((mark) => !isShared(mark)) ?? [];
  for (const mark of cut) {
    let at = index;
    while (mark.isInSet(all[at + step]?.marks ?? [])) at += step;
    edge = point.end ? Math.max(edge, at) : Math.min(edge, at);
  }
  const piece = all[edge];
  if (cut.length === 0 || piece === undefined) return point;
  return { ...point, at: point.end ? endOf(piece) : piece.at };
}

/** The number of pieces from `start` on that have a mark. */
function length(all: readonly Piece[], start: number, mark: Mark): number {
  let end = start;
  while (end < all.length && mark.isInSet((all[end] as Piece).marks)) end++;
  return end - start;
}

function words(text: string, marks: readonly Mark[], escaping: Escaping, begins: "block" | "line" | null, signs: readonly [number, string][]): string {
  const isCode = marks.some(({ type }) => type === schema.marks.code);
  const isSource = marks.some(({ type }) => type === schema.marks.source);
  const start = begins !== null && escaping.starts ? (LINE_START.exec(text)?.[0].length ?? 0) : 0;
  const isNumber = /^\d/.test(text);
  const indent = begins === "block" ? (/^\u00a0*/.exec(text)?.[0].length ?? 0) : 0; // items of lists lose it otherwise
  const characters = Array.from({ length: text.length }, (_, index) => {
    const character = text.charAt(index);
    if (isCode || isSource) return character;
    const isStart = start > 0 && index === (isNumber ? start : 0);
    if (!isStart && index >= indent && !escaping.escaped.includes(character)) return character;
    if (character === "\u00a0") return "&nbsp;";
    return escaping.numbered ? `&#${character.charCodeAt(0)};` : `\\${character}`;
  });
  const written = withSigns(characters, signs);
  if (!isCode) return written;
  const fence = "`".repeat(1 + Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length)));
  const padding = /^`|`$/.test(text) || (/^ .* $/.test(text) && text.trim() !== "") ? " " : "";
  return fence + padding + written + padding + fence;
}

function withSigns(characters: string[], signs: readonly [number, string][]): string {
  for (const [at, sign] of signs.toSorted(([a], [b]) => b - a)) characters.splice(at, 0, sign);
  return characters.join("");
}

/** True for a link that shows its own address and nothing else. */
function isBareAddress(all: readonly Piece[], at: number): boolean {
  const { text, marks } = all[at] as Piece;
  const link = marks.find(({ type }) => type === schema.marks.link);
  if (link === undefined || text === null || marks.some(({ type }) => type.spec.code === true)) return false;
  const isAlone = ![all[at - 1], all[at + 1]].some((other) => other !== undefined && link.isInSet(other.marks));
  return isAlone && ADDRESS.test(text) && (text === link.attrs["href"] || `mailto:${text}` === link.attrs["href"]) && link.attrs["title"] === null;
}

function opener({ type, attrs }: Mark, escaping: Escaping): string {
  const { strong, em, strike, tag } = schema.marks;
  if (type === strong) return "**";
  if (type === em) return escaping.em;
  if (type === strike) return "~~";
  if (type === tag) return `<${attrs["name"]}>`;
  return "[";
}

function closer(mark: Mark, escaping: Escaping): string {
  const { link, tag } = schema.marks;
  if (mark.type === tag) return `</${mark.attrs["name"]}>`;
  if (mark.type === link) return `](${target(String(mark.attrs["href"]), mark.attrs["title"])})`;
  return opener(mark, escaping);
}

/** The address of a link or an image, and its title, with backslashes before what would end them. */
function target(href: string, title: unknown): string {
  const escaped = href.replace(/[\\<>]/g, "\\$&").replaceAll("\n", "%0A");
  const address = /[\s()<>]/.test(href) ? `<${escaped}>` : escaped;
  return typeof title === "string" && title !== "" ? `${address} "${title.replace(/["\\]/g, "\\$&")}"` : address;
}

function image({ attrs }: Node): string {
  const alt = String(attrs["alt"]).replace(/[[\]\\`]/g, "\\$&").replaceAll("\n", " ");
  return `![${alt}](${target(String(attrs["src"]), attrs["title"])})`;
}
