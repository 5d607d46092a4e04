// Grammars of the editor, each loaded with the first canvas that is written in it.

import type { Extension } from "@codemirror/state";
import { isProse } from "./languages.ts";

const GRAMMARS: Readonly<Record<string, () => Promise<Extension>>> = {
  markdown: async () => {
    const [{ markdown, markdownLanguage }] = await Promise.all([import("@codemirror/lang-markdown")]);
    return markdown({ base: markdownLanguage });
  },
  html: async () => (await import("@codemirror/lang-html")).html(),
  css: async () => (await import("@codemirror/lang-css")).css(),
  json: async () => (await import("@codemirror/lang-json")).json(),
  xml: async () => (await import("@codemirror/lang-xml")).xml(),
  python: async () => (await import("@codemirror/lang-python")).python(),
  javascript: async () => (await import("@codemirror/lang-javascript")).javascript({ jsx: true, typescript: true }),
};

const NAMES: Readonly<Record<string, string>> = {
  htm: "html",
  xhtml: "html",
  vue: "html",
  svelte: "html",
  svg: "xml",
  xsl: "xml",
  rss: "xml",
  json5: "json",
  jsonc: "json",
  py: "python",
  python3: "python",
  js: "javascript",
  jsx: "javascript",
  ts: "javascript",
  tsx: "javascript",
  mjs: "javascript",
  typescript: "javascript",
  react: "javascript",
  scss: "css",
  less: "css",
};

/** The grammar of a language; null for one that the editor shows without colors. */
export async function grammarOf(language: string): Promise<Extension | null> {
  const name = isProse(language) ? "markdown" : (NAMES[language] ?? language);
  return (await GRAMMARS[name]?.().catch(() => null)) ?? null;
}
