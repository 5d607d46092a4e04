import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin, type Rollup } from "vite";
import { englishTexts } from "./englishTexts.ts";

/** Every browser that runs the page reads woff2; the fonts of formulas are bundled in no other format. */
const woff2: Plugin = {
  name: "woff2",
  enforce: "pre",
  transform: {
    filter: { id: /katex.*\.css$/ },
    handler: (css) => css.replace(/,url\([^)]+\) format\("(?:woff|truetype)"\)/g, ""),
  },
};

/** The diagram frame gets its own copy of the HTML sanitizer, so that the page still loads a single file for it. */
const apart: Plugin = {
  name: "apart",
  enforce: "pre",
  resolveId: {
    filter: { id: /^dompurify$/ },
    async handler(source, importer) {
      if (importer?.includes("/mermaid/") !== true) return null;
      const found = await this.resolve(source, importer, { skipSelf: true });
      return found === null ? null : { ...found, id: `${found.id}?diagram` };
    },
  },
};

/** Tells the service worker which files the chat begins with, and which show a conversation; the worker's text, and with
 * it its version, changes with them. */
const shell: Plugin = {
  name: "shell",
  enforce: "post",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      const worker = bundle["worker.js"];
      const page = bundle["index.html"];
      if (worker?.type !== "chunk" || page?.type !== "asset") throw new Error("the page has no worker");
      const html = page.source.toString();
      const named = [...html.matchAll(/(?:src|href)="(\.\/[^"]+)"/g)].map(([, path]) => path ?? "");
      const turns = Object.values(bundle).find((file) => file.type === "chunk" && file.moduleIds.some((id) => id.endsWith("/chat/Turns.svelte")));
      if (turns?.type !== "chunk") throw new Error("the page has no turns");
      const shown = filesOf(bundle, turns.fileName).map((path) => `./${path}`);
      const needed = ["./", ...new Set([...named, ...shown].filter((path) => !path.startsWith("./icon-")))];
      const version = createHash("sha256").update(html).update(worker.code).digest("hex").slice(0, 12);
      worker.code = `const SHELL=${JSON.stringify(needed)},VERSION=${JSON.stringify(version)};\n${worker.code}`;
    },
  },
};

/** A script with all that it imports at once, and their styles. */
function filesOf(bundle: Rollup.OutputBundle, script: string): string[] {
  const found = new Set([script]);
  for (const name of found) {
    const file = bundle[name];
    if (file?.type !== "chunk") continue;
    for (const path of [...file.imports, ...(file.viteMetadata?.importedCss ?? [])]) found.add(path);
  }
  return [...found];
}

/** Loaded by every chat once its first paint is there. */
const MOUNTED = /\/(?:chat\/Announcements|compliance\/LiteracyOffer|speech\/(?:Microphone|VoiceConversation))\.svelte$|\/state\/mcpOffer\.ts$/;

/** Writes a gzip version of each script and style next to it. */
const packed: Plugin = {
  name: "packed",
  enforce: "post",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (!/^assets\/.*\.(?:js|css)$/.test(file.fileName)) continue;
        const source = gzipSync(file.type === "chunk" ? file.code : file.source, { level: 9 });
        this.emitFile({ type: "asset", fileName: `${file.fileName}.gz`, source });
      }
    },
  },
};

/** Collects the packages of whatever is bundled, by their paths in the lock file. */
const packages = new Set<string>();
const collected = (): Plugin => ({
  name: "collected",
  generateBundle: {
    order: "pre",
    handler(_, bundle) {
      for (const file of Object.values(bundle)) {
        for (const id of file.type === "chunk" ? file.moduleIds : []) {
          const found = /node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id);
          if (found !== null) packages.add(found[0]);
        }
      }
    },
  },
});

/** Lists those packages in a file, from which the software bill of materials is made. */
const listed: Plugin = {
  name: "listed",
  enforce: "post",
  generateBundle: {
    order: "post",
    handler() {
      const source = JSON.stringify([...packages].sort(), null, 1);
      this.emitFile({ type: "asset", fileName: ".packages.json", source });
    },
  },
};

// Three pages: the chat, the API reference, and the diagram frame. The preview frame is public/preview.html as it is. Their addresses are relative, and the server puts the
// path under which it is served in place of `./`. Every asset is a file, so that the strict Content-
// Security-Policy holds: no inline script, no inline style, no data: script.
export default defineConfig({
  base: "./",
  // The package exports its scripts as modules alone; the preview frame needs them as plain ones.
  resolve: { alias: { "preact-files": fileURLToPath(new URL("node_modules/preact", import.meta.url)) } },
  plugins: [svelte(), englishTexts(), woff2, apart, collected(), shell, packed, listed],
  worker: { format: "es", plugins: () => [collected()] },
  build: {
    outDir: "../src/eclair/server/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2023",
    chunkSizeWarningLimit: 2000,
    rollupOptions: {
      input: { index: "index.html", docs: "docs.html", diagram: "diagram.html", worker: "worker/worker.ts" },
      output: {
        entryFileNames: ({ name }) => (name === "worker" ? "worker.js" : "assets/[name]-[hash].js"),
        // The chat begins with one script and one style: each further file is another round trip. The loader of lazy
        // parts belongs to the frame as well, which must not load the chat with it. Two more of each follow, in place of
        // forty small ones.
        codeSplitting: {
          groups: [
            { name: "later", test: /vite\/preload-helper/, priority: 1 },
            { name: "chat", test: /\/src\/main\.ts$/ },
            { name: "mounted", test: MOUNTED },
            { name: "turns", test: /\/chat\/Turns\.svelte$/ },
          ],
        },
      },
    },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8642", "/openapi.json": "http://127.0.0.1:8642" } },
});
