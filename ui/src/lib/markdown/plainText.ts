// An answer for other programs: as plain text, and as rich text.

import { sanitize } from "./sanitize.ts";
import { renderDocument } from "./render.ts";

/** The rendered text without buttons and frames of images, with formulas as TeX. */
function renderBare(text: string): DocumentFragment {
  const fragment = sanitize(renderDocument(text));
  for (const picture of fragment.querySelectorAll(".picture")) picture.replaceWith(...picture.childNodes);
  for (const mark of fragment.querySelectorAll(".mark")) mark.replaceWith(`[${mark.textContent}]`);
  for (const tool of fragment.querySelectorAll(".bar, .table-tools, button")) tool.remove();
  return fragment;
}

export function richText(text: string): string {
  const fragment = renderBare(text);
  for (const element of fragment.querySelectorAll("*")) {
    for (const { name } of [...element.attributes]) if (!/^(?:href|src|alt|start|align|checked|type|disabled)$/.test(name)) element.removeAttribute(name);
  }
  const holder = document.createElement("div");
  holder.append(fragment);
  return holder.innerHTML;
}

export function plainText(text: string): string {
  return lines(renderBare(text))
    .replace(/[ \t]+\n/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

const APART = new Set(["P", "UL", "OL", "PRE", "BLOCKQUOTE", "TABLE", "DIV", "HR", "H1", "H2", "H3", "H4", "H5", "H6"]);

function lines(node: Node): string {
  return [...node.childNodes].map((child) => line(child)).join("");
}

function line(node: Node): string {
  if (!(node instanceof HTMLElement)) return node instanceof Text && !between(node) ? node.data : "";
  switch (node.tagName) {
    case "BR":
      return "\n";
    case "IMG":
      return node.getAttribute("alt") ?? "";
    case "INPUT":
      return node.hasAttribute("checked") ? "[x]" : "[ ]";
    case "LI":
      return item(node);
    case "TR":
      return `${[...node.children].map((cell) => cell.textContent.trim()).join("\t")}\n`;
    default:
      return APART.has(node.tagName) ? `${node.closest("li") === null ? "\n" : ""}${lines(node)}\n` : lines(node);
  }
}

/** White space that only formats the source of lists and tables. */
function between(text: Text): boolean {
  return text.data.trim() === "" && /^(?:UL|OL|TABLE|THEAD|TBODY|TR)$/.test(text.parentElement?.tagName ?? "");
}

function item(node: HTMLElement): string {
  const list = node.parentElement;
  const place = list === null ? 0 : [...list.children].indexOf(node);
  const mark = list?.tagName === "OL" ? `${Number(list.getAttribute("start") ?? 1) + place}. ` : "- ";
  const text = lines(node).trim().replace(/\n+/g, "\n  ");
  return `${node.parentElement?.parentElement?.tagName === "LI" && place === 0 ? "\n" : ""}${mark}${text}\n`;
}
