// Builds the scripts of exported files into the package: each is one file without imports.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { build, type InlineConfig, type Plugin } from "vite";

const OUT = "../src/eclair/transfer/viewer";
const LANGUAGES = "src/lib/i18n";

/** Every browser reads woff2. */
const woff2: Plugin = {
  name: "woff2",
  enforce: "pre",
  transform: {
    filter: { id: /katex.*\.css$/ },
    handler: (css) => css.replace(/,url\([^)]+\) format\("(?:woff|truetype)"\)/g, ""),
  },
};

/** What the page loads from the server is a script of its own in an exported file, or nothing. */
const standIns: Plugin = {
  name: "stand-ins",
  enforce: "pre",
  resolveId: {
    filter: { id: /\/(?:typesetter|drawingBoard)\.ts$|^\.\/formulas\.ts$/ },
    handler(source, importer) {
      if (importer === undefined || importer.includes("/viewer/")) return null;
      return source === "./formulas.ts" ? "\0nothing" : join(import.meta.dirname, "src/viewer", source);
    },
  },
  load: {
    filter: { id: /^\0nothing$|^\0vite\/preload-helper/ },
    handler: () => "export const __vitePreload = (load) => load();",
  },
};

/** The text of a script or a style between its tags. */
const inline: Plugin = {
  name: "inline",
  enforce: "post",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk") file.code = file.code.replaceAll("</script", "<\\/script").replaceAll("<!--", "\\x3c!--");
      }
    },
  },
};

function script(name: string, entry: string, emptyOutDir = false): InlineConfig {
  return {
    configFile: false,
    mode: "viewer",
    publicDir: false,
    logLevel: "warn",
    plugins: [svelte({ configFile: false, emitCss: true }), woff2, standIns, inline],
    build: {
      outDir: OUT,
      emptyOutDir,
      assetsInlineLimit: Number.MAX_SAFE_INTEGER,
      cssCodeSplit: false,
      modulePreload: false,
      target: "es2023",
      chunkSizeWarningLimit: 10_000,
      rollupOptions: {
        input: { [name]: entry },
        output: { format: "iife", codeSplitting: false, entryFileNames: "[name].js", assetFileNames: `${name}[extname]` },
      },
    },
  };
}

/** Writes each language's texts, of which the viewer shows few: those that it names. */
function writeTexts(): void {
  const viewer = readFileSync(join(OUT, "viewer.js"), "utf8");
  for (const name of readdirSync(LANGUAGES)) {
    if (!/^..\.json$/.test(name) || name === "en.json") continue;
    const texts = JSON.parse(readFileSync(join(LANGUAGES, name), "utf8")) as Record<string, unknown>;
    const shown = Object.entries(texts).filter(([key]) => ["`", '"', "'"].some((quote) => viewer.includes(quote + key + quote)));
    writeFileSync(join(OUT, name), JSON.stringify(Object.fromEntries(shown)));
  }
}

await build(script("viewer", "src/viewer/viewer.ts", true));
await build(script("code", "src/viewer/code.ts"));
await build(script("formulas", "src/viewer/formulas.ts"));
await build(script("diagrams", "src/lib/markdown/diagramFrame.ts"));
writeTexts();
