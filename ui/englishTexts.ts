// Splits the English texts, so that the first script has no more of them than it shows.

import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const SOURCES = fileURLToPath(new URL("src", import.meta.url));
const ENTRY = join(SOURCES, "main.ts");
const LATER = join(SOURCES, "lib", "i18n", "later.ts");
const STATIC_IMPORT = /^\s*(?:import|export)\s(?!type\b)(?:[^"';]*?\sfrom\s*)?"(\.[^"]+)"/gm;
const TRANSLATION = /"[^"]*\/i18n\/translate\.ts"|"\.\/translate\.ts"/;

/** Leaves `translate.ts` the texts that the modules loaded at the start name, and gives `later.ts` all others; a module that
 * is loaded when needed brings the latter with it. Elsewhere than in a build both have all texts. */
export function englishTexts(): Plugin {
  let first = new Set<string>();
  let named = new Set<string>();
  return {
    name: "english-texts",
    apply: "build",
    enforce: "post",
    resolveId: {
      order: "pre",
      filter: { id: /^\.\/en\.json$/ },
      async handler(source, importer) {
        const found = await this.resolve(source, importer, { skipSelf: true });
        return found === null ? null : `${found.id}?${importer === LATER ? "later" : "first"}`;
      },
    },
    buildStart() {
      first = modulesFrom(ENTRY);
      named = new Set([...first].flatMap((path) => literals(readFileSync(path, "utf-8"))));
    },
    load: {
      order: "pre",
      filter: { id: /\/en\.json\?(?:first|later)$/ },
      handler(id) {
        const [path = "", part] = id.split("?");
        this.addWatchFile(path);
        const texts = Object.entries(JSON.parse(readFileSync(path, "utf-8")) as Record<string, unknown>);
        const chosen = Object.fromEntries(texts.filter(([key]) => named.has(key) === (part === "first")));
        return { code: `export default ${JSON.stringify(chosen)};`, moduleType: "js" };
      },
    },
    transform: {
      filter: { id: /\/src\/.*\.(?:ts|svelte)$/ },
      handler(code, id) {
        if (first.has(id) || id === LATER || !TRANSLATION.test(code)) return null;
        return { code: `import ${JSON.stringify(LATER)};${code}`, map: null };
      },
    },
  };
}

/** The paths of a module and of all that it imports other than on demand. */
function modulesFrom(entry: string): Set<string> {
  const found = new Set([entry]);
  for (const path of found) {
    if (!/\.(?:ts|svelte)$/.test(path)) continue;
    for (const [, name = ""] of readFileSync(path, "utf-8").matchAll(STATIC_IMPORT)) {
      if (/\.(?:ts|svelte)$/.test(name)) found.add(resolve(dirname(path), name));
    }
  }
  return found;
}

function literals(code: string): string[] {
  return [...code.matchAll(/"(\w+)"/g)].map(([, text = ""]) => text);
}
