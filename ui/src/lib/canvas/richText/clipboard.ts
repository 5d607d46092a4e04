// Copies from the rich-text editor and pastes into it: Markdown as text, and HTML cleaned of how it looked.

import { Fragment, type Node, Slice } from "prosemirror-model";
import { isInTable } from "prosemirror-tables";
import { Transform } from "prosemirror-transform";
import type { EditorView } from "prosemirror-view";
import type { Links } from "../../markdown/render.ts";
import { documentOf, parse } from "./parse.ts";
import { schema } from "./schema.ts";
import { serialize } from "./serialize.ts";

/** Elements whose text isn't the page's. */
const SILENT = "script, style, title, meta, link, template, noscript, iframe, object, button, select, textarea, svg";
const KEPT = ["href", "src", "alt", "title", "start", "align", "colspan", "rowspan", "checked", "type", "class"];
/** Attributes of what was copied from the editor. */
const OWN = ["data-href", "data-src", "data-alt", "data-title", "data-info", "data-source", "data-checked", "data-tight", "data-marker", "data-pm-slice"];
/** HTML whose outer element keeps the blanks of all that is in it. */
const PROGRAM = /^\s*(?:<(?:html|body|meta)\b[^>]*>\s*|<!--[^]*?-->\s*)*<(?:div|span)\b[^>]*style\s*=\s*["'][^"'>]*white-space:\s*pre\s*[;"']/i;
const INLINE = /^(?:A|ABBR|B|BIG|BR|CITE|CODE|DEL|DFN|EM|FONT|I|IMG|INPUT|INS|KBD|LABEL|MARK|Q|S|SAMP|SMALL|SPAN|STRIKE|STRONG|SUB|SUP|TIME|TT|U|VAR)$/;

/** The Markdown of what is copied from a text that defines `links`. */
export function copied({ content, openStart, openEnd }: Slice, links: Links): string {
  const transform = new Transform(schema.nodes.doc.create(null, schema.nodes.paragraph.create()));
  transform.replaceRange(0, transform.doc.content.size, new Slice(content, openStart, openEnd));
  const { doc } = transform;
  if (doc.childCount === 1 && doc.firstChild?.type.spec.code === true && openStart > 0) return doc.textContent;
  return markdownOf(doc, links);
}

function markdownOf(doc: Node, links: Links): string {
  const source = doc.children.map((block) => serialize(block, 0, { links, points: [] })).filter((text) => text !== "");
  return source.join("\n\n");
}

/** A slice as words with line breaks, for the cells of a table; one of cells alone stays. */
export function forCell(slice: Slice): Slice {
  const { table, table_row: row, table_cell: cell, table_header: header, hardBreak } = schema.nodes;
  if (slice.content.content.every(({ type }) => type.isInline || [table, row, cell, header].includes(type))) return slice;
  const lines: Node[][] = [];
  slice.content.descendants((node) => {
    if (node.isTextblock) {
      if (node.type.spec.code === true) lines.push(...node.textContent.split("\n").map((line) => (line === "" ? [] : [schema.text(line)])));
      else lines.push([...node.children]);
    }
    return !node.isTextblock;
  });
  return new Slice(Fragment.from(lines.flatMap((line, at) => (at === 0 ? line : [hardBreak.create(), ...line]))), 0, 0);
}

/** Pasted text, read as Markdown; a single paragraph goes into the one at the cursor. */
export function pastedText(text: string, isPlain: boolean): Slice {
  const clean = text.replace(/\r\n?/g, "\n");
  if (isPlain) {
    const lines = clean.split(/\n{2,}/).map((part) => part.split("\n").flatMap((line, at) => [...(at > 0 ? [schema.nodes.hardBreak.create()] : []), ...(line === "" ? [] : [schema.text(line)])]));
    return Slice.maxOpen(Fragment.from(lines.map((content) => schema.nodes.paragraph.create(null, content))));
  }
  const doc = documentOf(parse(clean).blocks);
  const isWords = doc.childCount === 1 && doc.firstChild?.type === schema.nodes.paragraph;
  const ends = isWords ? (doc.firstChild?.content ?? Fragment.empty) : null;
  const space = /^[ \t]+/.exec(clean)?.[0];
  if (ends !== null && space !== undefined) return new Slice(Fragment.from(schema.text(space)).append(ends), 0, 0);
  return Slice.maxOpen(doc.content);
}

/** HTML of a page or of Word, with what it means alone: bold and italic as elements, lists as lists. */
export function pastedHtml(html: string): string {
  // Renamed as text: the page's policy forbids inline styles and scripts even to a document that is never shown.
  const unstyled = html.replace(/<style[^]*?<\/style\s*>/gi, "").replace(/(<[^<>]*?\s)style\s*=/gi, "$1data-style=");
  const page = new DOMParser().parseFromString(unstyled.replace(/(<[^<>]*?\s)on(\w+)\s*=/gi, "$1data-on$2="), "text/html");
  for (const element of page.querySelectorAll(SILENT)) element.remove();
  removeComments(page.body);
  listsOfWord(page);
  for (const element of page.querySelectorAll<HTMLElement>("[data-style], b, strong, i, em")) wrapByStyle(element);
  const kept = new Set(page.querySelector("[data-pm-slice]") === null ? KEPT : [...KEPT, ...OWN]);
  for (const element of page.body.querySelectorAll("*")) {
    for (const { name } of [...element.attributes]) if (!kept.has(name)) element.removeAttribute(name);
    if (element.tagName.includes(":")) element.replaceWith(...element.childNodes);
  }
  for (const element of page.body.querySelectorAll("p, div")) if (element.textContent.trim() === "" && element.querySelector("img, input, hr, table, [data-src]") === null) element.remove();
  for (const element of page.body.querySelectorAll("div, section, article, main, td, th")) breakApart(element);
  return page.body.innerHTML;
}

/** Paste a program from an editor of programs as a block of code; false for anything else. */
export function pastedCode(view: EditorView, data: DataTransfer): boolean {
  const text = data.getData("text/plain").replace(/\r\n?/g, "\n").replace(/\n+$/, "");
  const editor = data.getData("vscode-editor-data");
  const { state } = view;
  const isCode = text.includes("\n") && (editor !== "" || PROGRAM.test(data.getData("text/html")));
  if (!isCode || isInTable(state) || state.selection.$from.parent.type.spec.code === true) return false;
  const info = /"mode":"([\w+#.-]+)"/.exec(editor)?.[1] ?? "";
  if (/^(?:markdown|plaintext)$/.test(info)) return view.pasteText(text);
  view.dispatch(state.tr.replaceSelectionWith(schema.nodes.codeBlock.create({ info }, schema.text(text))).setMeta("paste", true).scrollIntoView());
  return true;
}

function removeComments(body: HTMLElement): void {
  const walker = body.ownerDocument.createTreeWalker(body, NodeFilter.SHOW_COMMENT);
  const found: ChildNode[] = [];
  while (walker.nextNode() !== null) found.push(walker.currentNode as ChildNode);
  for (const comment of found) comment.remove();
}

function styleOf(element: Element): string {
  return (element.getAttribute("data-style") ?? "").toLowerCase().replace(/\s/g, "");
}

/** Elements for what a style says; an element that its style contradicts goes. */
function wrapByStyle(element: HTMLElement): void {
  const style = styleOf(element);
  const isNormal = (/^(?:B|STRONG)$/.test(element.tagName) && /font-weight:(?:normal|[1-4]00)/.test(style)) || (/^(?:I|EM)$/.test(element.tagName) && /font-style:normal/.test(style));
  if (!INLINE.test(element.tagName)) return;
  const names = [/font-weight:(?:bold|[6-9]00)/.test(style) ? "strong" : "", /font-style:italic/.test(style) ? "em" : "", /text-decoration[^;]*line-through/.test(style) ? "s" : ""];
  for (const name of names) {
    if (name === "" || element.closest(name) !== null) continue;
    const wrapper = element.ownerDocument.createElement(name);
    wrapper.append(...element.childNodes);
    element.append(wrapper);
  }
  if (isNormal) element.replaceWith(...element.childNodes);
}

/** Word writes the items of a list as paragraphs that name their level, and their marks as text. */
function listsOfWord(page: Document): void {
  const levels: HTMLElement[] = [];
  for (const paragraph of page.querySelectorAll<HTMLElement>("p")) {
    const style = styleOf(paragraph);
    const level = Number(/mso-list:l\d+level(\d)/.exec(style)?.[1] ?? 0);
    if (level === 0) {
      levels.length = 0;
      continue;
    }
    const mark = [...paragraph.querySelectorAll("span")].find((span) => styleOf(span).includes("mso-list:ignore"));
    const isNumbered = /^\s*[\da-z]{1,4}[.)]/i.test(mark?.textContent ?? "");
    mark?.remove();
    levels.length = Math.min(levels.length, level);
    while (levels.length < level) {
      const list = page.createElement(isNumbered ? "ol" : "ul");
      const above = levels.at(-1);
      if (above === undefined) paragraph.before(list);
      else (above.lastElementChild ?? above.appendChild(page.createElement("li"))).append(list);
      levels.push(list);
    }
    const item = page.createElement("li");
    item.append(...paragraph.childNodes);
    levels.at(-1)?.append(item);
    paragraph.remove();
  }
}

/** Paragraphs in a cell become lines; a block that holds both words and blocks needs nothing. */
function breakApart(element: Element): void {
  if (!/^T[DH]$/.test(element.tagName)) return;
  const blocks = [...element.children].filter((child) => !INLINE.test(child.tagName));
  blocks.forEach((block, at) => {
    if (at < blocks.length - 1) block.append(element.ownerDocument.createElement("br"));
    if (block.matches("p, div")) block.replaceWith(...block.childNodes);
  });
}
