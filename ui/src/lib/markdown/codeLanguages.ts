// The languages of code: their labels, file extensions and grammars.

export interface Language {
  /** The grammar that highlights it, by its name in typesetting.ts. */
  readonly grammar: string;
  readonly label: string;
  readonly ending: string;
}

/** `grammar label extension aliases`, separated by spaces. */
const TABLE = `
bash Shell sh sh shell zsh console shell-session terminal
c C c h
cpp C++ cpp c++ cc cxx hpp
csharp C# cs c# cs
css CSS css
dart Dart dart
diff Diff diff patch
dockerfile Dockerfile dockerfile docker
elixir Elixir ex ex exs
erlang Erlang erl erl
go Go go golang
graphql GraphQL graphql gql
haskell Haskell hs hs
ini INI ini toml conf cfg properties
java Java java
javascript JavaScript js js jsx mjs cjs node
json JSON json json5 jsonc jsonl
julia Julia jl jl
kotlin Kotlin kt kt kts
latex LaTeX tex tex
less Less less
lua Lua lua
makefile Makefile mk make mk
markdown Markdown md md
matlab MATLAB m octave
nginx nginx conf
nix Nix nix
objectivec Objective-C m objc objective-c
ocaml OCaml ml ml
perl Perl pl pl
php PHP php
plaintext Text txt text txt plain
powershell PowerShell ps1 ps1 pwsh ps
protobuf Protobuf proto proto
python Python py py python3 pyi
r R r
ruby Ruby rb rb
rust Rust rs rs
scala Scala scala
scss SCSS scss sass
sql SQL sql postgres postgresql mysql sqlite
swift Swift swift
typescript TypeScript ts ts tsx mts cts
vbnet VB.NET vb vb
vim Vim vim
wasm WebAssembly wat wat
xml XML xml xsl svg rss
xml HTML html html xhtml vue svelte
yaml YAML yaml yml
`;

const LANGUAGES = new Map<string, Language>();
const NAMES: string[] = [];
for (const line of TABLE.trim().split("\n")) {
  const [grammar = "", label = "", ending = "", ...aliases] = line.split(" ");
  const language = { grammar, label, ending };
  const names = label === "HTML" ? aliases : [grammar, ...aliases];
  for (const name of names) LANGUAGES.set(name, language);
  NAMES.push(...names.slice(0, 1));
}

/** The first name of each language. */
export const LANGUAGE_NAMES: readonly string[] = NAMES;

LANGUAGES.set("mermaid", { grammar: "plaintext", label: "Mermaid", ending: "mmd" });

/** Find a language by one of its names, in any case. */
export function language(name: string): Language | undefined {
  return LANGUAGES.get(name.toLowerCase());
}

const NAMED = /(?:^|[\s:{])(?:(?:title|file|filename|name)=)?["']?([\w./@+-]*\w\.\w{1,12}|Dockerfile|Makefile)["']?(?:[\s}]|$)/;
const FIRST = /^\s*(?:#|\/\/|--|%|;|<!--|\/\*)\s*(?:file(?:name)?:\s*)?([\w./@+-]*\w\.\w{1,12})\s*(?:-->|\*\/)?\s*(?:\n|$)/i;

/** The file name for a block of code: from the fence or the first line, or by its language. */
export function fileName(info: string, code: string): string {
  const [name = ""] = info.split(/[\s:{]/);
  const rest = info.slice(name.length);
  const said = (NAMED.exec(rest) ?? FIRST.exec(code))?.[1]?.split("/").at(-1);
  if (said !== undefined) return said;
  const known = language(name);
  if (known?.grammar === "dockerfile") return "Dockerfile";
  if (known?.grammar === "makefile") return "Makefile";
  return `code.${known?.ending ?? "txt"}`;
}
