// Highlights code and renders formulas. It runs in a worker, and loads a grammar when it is first needed.

import type { LanguageFn } from "highlight.js";

/** A run of code with its class; "" is plain. */
export type Run = readonly [text: string, kind: Kind | ""];
export type Kind = "word" | "quoted" | "number" | "name" | "remark" | "added" | "gone";

const KINDS: Readonly<Record<string, Kind>> = {
  keyword: "word", literal: "word", "selector-tag": "word", built_in: "word", type: "word", tag: "word", name: "word", operator: "word",
  string: "quoted", regexp: "quoted", char: "quoted", link: "quoted", code: "quoted",
  number: "number", symbol: "number", bullet: "number",
  title: "name", attr: "name", attribute: "name", property: "name", variable: "name", section: "name", "template-variable": "name",
  "selector-class": "name", "selector-id": "name", "selector-attr": "name", "selector-pseudo": "name",
  comment: "remark", quote: "remark", doctag: "remark", meta: "remark",
  addition: "added", deletion: "gone",
};

const GRAMMARS: Readonly<Record<string, () => Promise<{ default: LanguageFn }>>> = {
  bash: () => import("highlight.js/lib/languages/bash"),
  c: () => import("highlight.js/lib/languages/c"),
  cpp: () => import("highlight.js/lib/languages/cpp"),
  csharp: () => import("highlight.js/lib/languages/csharp"),
  css: () => import("highlight.js/lib/languages/css"),
  dart: () => import("highlight.js/lib/languages/dart"),
  diff: () => import("highlight.js/lib/languages/diff"),
  dockerfile: () => import("highlight.js/lib/languages/dockerfile"),
  elixir: () => import("highlight.js/lib/languages/elixir"),
  erlang: () => import("highlight.js/lib/languages/erlang"),
  go: () => import("highlight.js/lib/languages/go"),
  graphql: () => import("highlight.js/lib/languages/graphql"),
  haskell: () => import("highlight.js/lib/languages/haskell"),
  ini: () => import("highlight.js/lib/languages/ini"),
  java: () => import("highlight.js/lib/languages/java"),
  javascript: () => import("highlight.js/lib/languages/javascript"),
  json: () => import("highlight.js/lib/languages/json"),
  julia: () => import("highlight.js/lib/languages/julia"),
  kotlin: () => import("highlight.js/lib/languages/kotlin"),
  latex: () => import("highlight.js/lib/languages/latex"),
  less: () => import("highlight.js/lib/languages/less"),
  lua: () => import("highlight.js/lib/languages/lua"),
  makefile: () => import("highlight.js/lib/languages/makefile"),
  markdown: () => import("highlight.js/lib/languages/markdown"),
  matlab: () => import("highlight.js/lib/languages/matlab"),
  nginx: () => import("highlight.js/lib/languages/nginx"),
  nix: () => import("highlight.js/lib/languages/nix"),
  objectivec: () => import("highlight.js/lib/languages/objectivec"),
  ocaml: () => import("highlight.js/lib/languages/ocaml"),
  perl: () => import("highlight.js/lib/languages/perl"),
  php: () => import("highlight.js/lib/languages/php"),
  powershell: () => import("highlight.js/lib/languages/powershell"),
  protobuf: () => import("highlight.js/lib/languages/protobuf"),
  python: () => import("highlight.js/lib/languages/python"),
  r: () => import("highlight.js/lib/languages/r"),
  ruby: () => import("highlight.js/lib/languages/ruby"),
  rust: () => import("highlight.js/lib/languages/rust"),
  scala: () => import("highlight.js/lib/languages/scala"),
  scss: () => import("highlight.js/lib/languages/scss"),
  sql: () => import("highlight.js/lib/languages/sql"),
  swift: () => import("highlight.js/lib/languages/swift"),
  typescript: () => import("highlight.js/lib/languages/typescript"),
  vbnet: () => import("highlight.js/lib/languages/vbnet"),
  vim: () => import("highlight.js/lib/languages/vim"),
  wasm: () => import("highlight.js/lib/languages/wasm"),
  xml: () => import("highlight.js/lib/languages/xml"),
  yaml: () => import("highlight.js/lib/languages/yaml"),
};
/** Languages embedded in another language. */
const EMBEDDED: Readonly<Record<string, readonly string[]>> = { xml: ["javascript", "css"], markdown: ["xml"], php: ["xml"] };

export const grammars: ReadonlySet<string> = new Set(Object.keys(GRAMMARS));

/** `code` split into runs; joined they are `code` again. */
export async function highlightCode(grammar: string, code: string): Promise<Run[]> {
  const load = GRAMMARS[grammar];
  if (load === undefined) return [[code, ""]];
  const { default: highlighter } = await import("highlight.js/lib/core");
  for (const name of [...(EMBEDDED[grammar] ?? []), grammar]) {
    const found = GRAMMARS[name];
    if (found !== undefined && highlighter.getLanguage(name) === undefined) highlighter.registerLanguage(name, (await found()).default);
  }
  return runs(highlighter.highlight(code, { language: grammar, ignoreIllegals: true }).value);
}

/** Parse the spans that the highlighter writes. */
function runs(html: string): Run[] {
  const open: (Kind | "")[] = [""];
  const result: [string, Kind | ""][] = [];
  for (const [piece, name] of html.matchAll(/<span class="([^"]*)">|<\/span>|[^<]+/g)) {
    if (piece === "</span>") open.pop();
    else if (name !== undefined) open.push(KINDS[/^hljs-([\w-]+)/.exec(name)?.[1] ?? ""] ?? (name.startsWith("hljs-subst") ? "" : (open.at(-1) ?? "")));
    else {
      const kind = open.at(-1) ?? "";
      const text = piece.replace(/&(amp|lt|gt|quot|#x27);/g, (_, entity: string) => ENTITIES[entity] ?? "");
      const last = result.at(-1);
      if (last?.[1] === kind) last[0] += text;
      else result.push([text, kind]);
    }
  }
  return result;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" };

/** The formula as HTML with MathML. Its styles are in `data-style`, for a page that allows none inline. Throws a
 * readable error for invalid TeX. */
export async function renderFormula(tex: string, display: boolean): Promise<string> {
  const { default: katex } = await import("katex");
  const options = { displayMode: display, strict: "ignore", trust: false, maxSize: 20, maxExpand: 500 } as const;
  return katex.renderToString(tex, options).replaceAll(' style="', ' data-style="');
}
