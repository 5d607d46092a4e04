// The document of the rich-text editor: the blocks and marks of Markdown. Whatever Markdown has beyond them, such as
// formulas, footnotes and HTML, is text with the mark `source` or in a `sourceBlock`, and is written back as it stands.

import { type Attrs, type DOMOutputSpec, type Mark, type MarkSpec, type Node, type NodeSpec, Schema } from "prosemirror-model";
import { tableNodes } from "prosemirror-tables";

export type Align = "left" | "center" | "right" | null;
/** The HTML tags around words that answers show as well. */
export const TAGS = ["sub", "sup", "kbd", "mark", "u", "ins"] as const;

const LEVELS = [1, 2, 3, 4, 5, 6] as const;
const DATA_IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,/i;
const SAFE_ADDRESS = /^(?:https?:|mailto:|#)/i;
/** The addresses of links in the HTML of others. */
const WEB_ADDRESS = /^(?:https?:|mailto:|#|\/|\.)/i;

const nodes = {
  doc: { content: "block+" },
  paragraph: { content: "inline*", group: "block", parseDOM: [{ tag: "p" }], toDOM: () => ["p", 0] },
  heading: {
    attrs: { level: { default: 1, validate: "number" } },
    content: "inline*",
    group: "block",
    defining: true,
    parseDOM: LEVELS.map((level) => ({ tag: `h${level}`, attrs: { level } })),
    toDOM: ({ attrs }) => [`h${attrs["level"]}`, 0],
  },
  blockquote: { content: "block+", group: "block", defining: true, parseDOM: [{ tag: "blockquote" }], toDOM: () => ["blockquote", 0] },
  bulletList: {
    attrs: { tight: { default: true }, marker: { default: "-" } },
    content: "listItem+",
    group: "block",
    parseDOM: [{ tag: "ul", getAttrs: (list) => listAttrs(list, ["-", "*", "+"]) }],
    toDOM: (list) => ["ul", listDom(list), 0],
  },
  orderedList: {
    attrs: { tight: { default: true }, marker: { default: "." }, order: { default: 1, validate: "number" } },
    content: "listItem+",
    group: "block",
    parseDOM: [{ tag: "ol", getAttrs: (list) => ({ ...listAttrs(list, [".", ")"]), order: Number(list.getAttribute("start") ?? 1) || 1 }) }],
    toDOM: (list) => ["ol", { ...listDom(list), ...(list.attrs["order"] === 1 ? {} : { start: String(list.attrs["order"]) }) }, 0],
  },
  listItem: {
    /** `checked` is null but for tasks. */
    attrs: { checked: { default: null } },
    content: "block+",
    defining: true,
    parseDOM: [{ tag: "li", getAttrs: (item) => ({ checked: checkedOf(item) }) }],
    toDOM: ({ attrs }) => ["li", attrs["checked"] === null ? {} : { "data-checked": String(attrs["checked"]) }, 0],
  },
  codeBlock: {
    attrs: { info: { default: "" } },
    content: "text*",
    marks: "",
    group: "block",
    code: true,
    defining: true,
    parseDOM: [{ tag: "pre", preserveWhitespace: "full", getAttrs: (pre) => ({ info: infoOf(pre) }) }],
    toDOM: ({ attrs }) => ["pre", { "data-info": String(attrs["info"]) }, ["code", 0]],
  },
  sourceBlock: {
    content: "text*",
    marks: "",
    group: "block",
    code: true,
    defining: true,
    parseDOM: [{ tag: "pre[data-source]", preserveWhitespace: "full", priority: 60 }],
    toDOM: () => ["pre", { "data-source": "", class: "source" }, ["code", 0]],
  },
  rule: { group: "block", parseDOM: [{ tag: "hr" }], toDOM: () => ["hr"] },
  ...tables(),
  text: { group: "inline" },
  image: {
    inline: true,
    attrs: { src: {}, alt: { default: "" }, title: { default: null } },
    group: "inline",
    draggable: true,
    parseDOM: [
      { tag: "span[data-src]", getAttrs: (shown) => ({ src: shown.dataset["src"] ?? "", alt: shown.dataset["alt"] ?? "", title: shown.dataset["title"] ?? null }) },
      { tag: "img[src]", getAttrs: imageAttrs },
    ],
    toDOM: imageDom,
  },
  hardBreak: { inline: true, group: "inline", selectable: false, linebreakReplacement: true, parseDOM: [{ tag: "br" }], toDOM: () => ["br"] },
} satisfies Record<string, NodeSpec>;

const marks = {
  link: {
    attrs: { href: {}, title: { default: null } },
    inclusive: false,
    parseDOM: [
      { tag: "a[data-href]", getAttrs: (link) => ({ href: link.dataset["href"] ?? "", title: link.dataset["title"] ?? null }) },
      { tag: "a[href]", getAttrs: (link) => (WEB_ADDRESS.test(link.getAttribute("href") ?? "") ? { href: link.getAttribute("href"), title: link.getAttribute("title") } : false) },
    ],
    toDOM: linkDom,
  },
  tag: {
    attrs: { name: {} },
    excludes: "",
    parseDOM: TAGS.map((name) => ({ tag: name, attrs: { name } })),
    toDOM: ({ attrs }) => [String(attrs["name"]), 0],
  },
  strong: { parseDOM: [{ tag: "strong" }, { tag: "b" }], toDOM: () => ["strong", 0] },
  em: { parseDOM: [{ tag: "em" }, { tag: "i" }], toDOM: () => ["em", 0] },
  strike: { parseDOM: [{ tag: "s" }, { tag: "del" }, { tag: "strike" }], toDOM: () => ["s", 0] },
  code: { code: true, inclusive: false, excludes: "code source", parseDOM: [{ tag: "code" }], toDOM: () => ["code", 0] },
  source: { code: true, inclusive: false, excludes: "source code", parseDOM: [{ tag: "span[data-source]" }], toDOM: () => ["span", { "data-source": "", class: "source" }, 0] },
} satisfies Record<string, MarkSpec>;

export const schema = new Schema<keyof typeof nodes, keyof typeof marks>({ nodes, marks });

/** A link; only one that the page would follow has its address as one. */
function linkDom({ attrs }: Mark): DOMOutputSpec {
  const [href, title] = [String(attrs["href"]), attrs["title"] === null ? null : String(attrs["title"])];
  const address = SAFE_ADDRESS.test(href) ? { href, rel: "noopener noreferrer" } : {};
  return ["a", { ...address, "data-href": href, ...(title === null ? {} : { "data-title": title }), title: title ?? href }, 0];
}

function listDom({ attrs }: Node): Record<string, string> {
  return { "data-tight": String(attrs["tight"]), "data-marker": String(attrs["marker"]), ...(attrs["tight"] === true ? { class: "tight" } : {}) };
}

/** The style of a list of this editor; lists of others are tight, with the first marker. */
function listAttrs({ dataset }: HTMLElement, markers: readonly string[]): Attrs {
  return { tight: dataset["tight"] !== "false", marker: markers.find((marker) => marker === dataset["marker"]) ?? markers[0] };
}

/** A list, of whichever kind. */
export function isList(node: Node): boolean {
  return node.type === schema.nodes.bulletList || node.type === schema.nodes.orderedList;
}

function tables() {
  const align = {
    default: null,
    getFromDOM: (cell: HTMLElement) => (["left", "center", "right"].includes(cell.getAttribute("align") ?? "") ? cell.getAttribute("align") : null),
    setDOMAttr: (value: unknown, attrs: Attrs) => {
      if (value !== null) (attrs as Record<string, unknown>)["align"] = value;
    },
  };
  const { table, table_row: row, table_cell: cell, table_header: header } = tableNodes({ tableGroup: "block", cellContent: "inline*", cellAttributes: { align } });
  return { table, table_row: row, table_cell: cell, table_header: header };
}

/** Images of the text itself are shown; others would be fetched, and are named instead. */
function imageDom({ attrs }: Node): DOMOutputSpec {
  const [src, alt] = [String(attrs["src"]), String(attrs["alt"])];
  const data = { "data-src": src, "data-alt": alt, ...(attrs["title"] === null ? {} : { "data-title": String(attrs["title"]) }) };
  if (DATA_IMAGE.test(src)) return ["span", { ...data, class: "image shown" }, ["img", { src, alt }]];
  return ["span", { ...data, class: "image", title: src }, alt === "" ? src : alt];
}

function imageAttrs(image: HTMLElement): Attrs | false {
  const src = image.getAttribute("src") ?? "";
  if (!/^https?:/i.test(src) && !DATA_IMAGE.test(src)) return false;
  return { src, alt: image.getAttribute("alt") ?? "", title: image.getAttribute("title") };
}

function checkedOf(item: HTMLElement): boolean | null {
  const said = item.dataset["checked"];
  if (said !== undefined) return said === "true";
  const box = item.querySelector(":scope > input[type=checkbox], :scope > label > input[type=checkbox], :scope > p:first-child > input[type=checkbox]");
  return box === null ? null : box.hasAttribute("checked");
}

function infoOf(pre: HTMLElement): string {
  const name = /(?:^|\s)language-(\S+)/.exec(pre.querySelector("code")?.className ?? pre.className)?.[1];
  return pre.dataset["info"] ?? name ?? "";
}
