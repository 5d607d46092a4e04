// The languages of canvases: their labels, and how they are shown.

import type { PlainKey } from "../i18n/translate.ts";
import { language, LANGUAGE_NAMES } from "../markdown/codeLanguages.ts";

export type PreviewKind = "markdown" | "page" | "component" | "image" | "diagram";

const PREVIEWS: Readonly<Record<string, PreviewKind>> = {
  markdown: "markdown",
  md: "markdown",
  html: "page",
  htm: "page",
  xhtml: "page",
  svg: "image",
  mermaid: "diagram",
  jsx: "component",
  tsx: "component",
  react: "component",
};

/** How a canvas is shown other than as its text; null where there is no such view. */
export function previewKind(name: string): PreviewKind | null {
  return PREVIEWS[name] ?? null;
}

export function isProse(name: string): boolean {
  return ["", "markdown", "md", "text", "txt", "plain", "plaintext"].includes(name);
}

/** True for texts whose marks are Markdown's, rather than plain ones. */
export function isMarkdown(name: string): boolean {
  return PREVIEWS[name] === "markdown";
}

/** The name of a language for people. */
export function languageLabel(name: string): string {
  if (name === "svg") return "SVG";
  if (["jsx", "tsx", "react"].includes(name)) return "React";
  return language(name)?.label ?? name;
}

/** The languages to choose from for a canvas, by the label of their kind. */
export function languageChoices(): readonly { readonly kind: PlainKey; readonly languages: readonly string[] }[] {
  const others = new Set(["markdown", "plaintext", "html"]);
  const code = LANGUAGE_NAMES.filter((name) => !others.has(name)).toSorted((a, b) => languageLabel(a).localeCompare(languageLabel(b)));
  return [
    { kind: "asText", languages: ["markdown", "plaintext"] },
    { kind: "asHtml", languages: ["html", "jsx"] },
    { kind: "diagram", languages: ["mermaid", "svg"] },
    { kind: "pythonCode", languages: code },
  ];
}

/** The language of a block of code, as canvases name it. */
export function blockLanguage(info: string, code: string): string {
  const name = (/^[a-z0-9+#.-]{1,30}/i.exec(info)?.[0] ?? "").toLowerCase();
  if (name === "xml" && /^\s*(?:<\?xml[^>]*>\s*)?<svg[\s>]/i.test(code)) return "svg";
  const isComponent = /\bexport\s+default\b/.test(code) && /<[A-Za-z][^>]*>/.test(code);
  if (["javascript", "js", "typescript", "ts"].includes(name) && isComponent) return name.startsWith("t") ? "tsx" : "jsx";
  return name === "" ? "plaintext" : name;
}

/** A title for a text: its first heading or line. */
export function titleOf(text: string, fallback: string): string {
  const heading = /^#{1,6}\s+(.+?)#*\s*$/m.exec(text)?.[1] ?? /<title>([^<]{1,120})<\/title>/i.exec(text)?.[1] ?? fallback;
  return heading.replace(/[*_`[\]]/g, "").replace(/\s+/g, " ").trim().slice(0, 120) || fallback;
}
