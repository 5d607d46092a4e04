// Writes blocks of the rich-text editor as Markdown. Items of lists and rows of tables that weren't changed stay as they
// were written.

import type { Node } from "prosemirror-model";
import { type Context, inlineText } from "./inline.ts";
import { itemSources, rowSources } from "./parse.ts";
import { isList, schema } from "./schema.ts";

/** The Markdown of a block that begins at `at`; empty for a paragraph without words. */
export function serialize(block: Node, at: number, context: Context, isNested = false): string {
  const { nodes } = schema;
  switch (block.type) {
    case nodes.paragraph:
      return inlineText(block, "paragraph", at + 1, context);
    case nodes.heading:
      return `${"#".repeat(Number(block.attrs["level"]))} ${inlineText(block, "heading", at + 1, context)}`.replace(/ +$/, "");
    case nodes.blockquote:
      return prefixed(children(block, at, context), "> ", "> ");
    case nodes.bulletList:
    case nodes.orderedList:
      return list(block, at, context);
    case nodes.codeBlock:
      return code(block, at, context);
    case nodes.rule:
      return isNested ? "___" : "---";
    case nodes.table:
      return table(block, at, context);
    default:
      return marked(block, at, context);
  }
}

/** The blocks within a block, one after another. */
function children(block: Node, at: number, context: Context, isTight = false): string {
  let written = "";
  let last: Node | null = null;
  block.forEach((child, offset) => {
    const node: Node = last !== null && isList(child) && child.type === last.type && child.attrs["marker"] === last.attrs["marker"] ? withOtherMarker(child) : child;
    const text = serialize(node, at + 1 + offset, context, true);
    if (text === "") return;
    if (last !== null) written += isTight && canFollowTightly(last, node) ? "\n" : "\n\n";
    written += text;
    last = node;
  });
  return written;
}

/** The same list with other marks, so that it isn't one with the list before. */
export function withOtherMarker(list: Node): Node {
  const marker = { "-": "*", "*": "-", "+": "-", ".": ")", ")": "." }[String(list.attrs["marker"])] ?? "-";
  return list.type.create({ ...list.attrs, marker }, list.content);
}

function canFollowTightly(before: Node, node: Node): boolean {
  if (before.type !== schema.nodes.paragraph) return false;
  return isList(node) ? (node.attrs["order"] ?? 1) === 1 : node.type === schema.nodes.codeBlock;
}

function isTight(list: Node): boolean {
  let fits = list.attrs["tight"] === true;
  list.forEach((item) => {
    if (hasLoneBox(item) && item.firstChild?.type !== schema.nodes.paragraph) fits &&= canFollowTightly(schema.nodes.paragraph.create(), item.child(0));
    for (let at = 1; at < item.childCount; at++) fits &&= canFollowTightly(item.child(at - 1), item.child(at));
  });
  return fits;
}

function list(node: Node, at: number, context: Context): string {
  const tight = isTight(node);
  const isOrdered = node.type === schema.nodes.orderedList;
  const items: string[] = [];
  node.forEach((item, offset, index) => {
    const marker = isOrdered ? `${Number(node.attrs["order"]) + index}${node.attrs["marker"]}` : String(node.attrs["marker"]);
    const start = at + 1 + offset;
    const source = itemSources.get(item);
    const isAsked = context.points.some((point) => point.at >= start && point.at <= start + item.nodeSize);
    const isSame = source !== undefined && source.startsWith(`${marker} `) && (node.attrs["tight"] === true) === tight;
    items.push(isSame && !isAsked ? source : listItem(item, marker, start, tight, context));
  });
  return items.join(tight ? "\n" : "\n\n");
}

/** True for a task without words beside its box, which has a line of its own then. */
function hasLoneBox({ attrs, firstChild }: Node): boolean {
  return attrs["checked"] !== null && (firstChild?.type !== schema.nodes.paragraph || firstChild.content.size === 0);
}

function listItem(item: Node, marker: string, at: number, tight: boolean, context: Context): string {
  const { checked } = item.attrs;
  const content = children(item, at, context, tight);
  if (hasLoneBox(item)) return prefixed(`[${checked === true ? "x" : " "}]${content === "" ? "" : tight ? "\n" : "\n\n"}${content}`, `${marker} `, " ".repeat(marker.length + 1));
  const box = checked === null ? "" : checked === true ? "[x] " : "[ ] ";
  const safe = checked === null ? content.replace(/^\[(?=[ xX]\](?:\s|$))/, "&#91;") : content;
  return prefixed(box + safe, `${marker} `, " ".repeat(marker.length + 1)).replace(/ +$/, "");
}

function prefixed(text: string, first: string, others: string): string {
  return text
    .split("\n")
    .map((line, index) => (index === 0 ? first + line : line === "" ? others.trimEnd() : others + line))
    .join("\n");
}

/** Text as it is, with the signs of points. */
function marked(block: Node, at: number, { points }: Context): string {
  let text = block.textContent;
  for (const point of points.toSorted((a, b) => b.at - a.at)) {
    const offset = point.at - at - 1;
    if (offset >= 0 && offset <= block.content.size) text = text.slice(0, offset) + point.sign + text.slice(offset);
  }
  return text;
}

function code(block: Node, at: number, context: Context): string {
  const info = String(block.attrs["info"]);
  const mark = info.includes("`") ? "~" : "`";
  const runs = block.textContent.match(mark === "`" ? /`{3,}/g : /~{3,}/g) ?? [];
  const fence = mark.repeat(Math.max(3, ...runs.map(({ length }) => length + 1)));
  const text = marked(block, at, context);
  return `${fence}${info}\n${text}${text === "" ? "" : "\n"}${fence}`;
}

function table(node: Node, at: number, context: Context): string {
  const rows: string[] = [];
  node.forEach((row, offset, index) => {
    const start = at + 1 + offset;
    const isAsked = context.points.some((point) => point.at >= start && point.at <= start + row.nodeSize);
    const source = rowSources.get(row);
    const isHeader = index === 0;
    if (source !== undefined && !isAsked && source.includes("\n") === isHeader) {
      rows.push(source);
      return;
    }
    const cells: string[] = [];
    row.forEach((cell, within) => cells.push(inlineText(cell, "cell", start + 1 + within + 1, context)));
    rows.push(`| ${cells.join(" | ")} |`);
    if (isHeader) rows.push(delimiter(row));
  });
  return rows.join("\n");
}

function delimiter(row: Node): string {
  const cells: string[] = [];
  row.forEach(({ attrs }) => cells.push({ left: ":---", center: ":---:", right: "---:" }[String(attrs["align"])] ?? "---"));
  return `| ${cells.join(" | ")} |`;
}
