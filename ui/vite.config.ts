import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

// Two pages, the chat and the API reference; every asset is a file of ours, so that the strict
// Content-Security-Policy holds: no inline script, no inline style, no data: script.
/** Every browser that runs the page reads woff2; the formulas' fonts are bundled in no other form. */
const woff2: Plugin = {
  name: "woff2",
  enforce: "pre",
  transform: {
    filter: { id: /katex.*\.css$/ },
    handler: (css) => css.replace(/,url\([^)]+\) format\("(?:woff|truetype)"\)/g, ""),
  },
};

export default defineConfig({
  plugins: [svelte(), woff2],
  worker: { format: "es" },
  build: {
    outDir: "../src/eclair/server/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2023",
    chunkSizeWarningLimit: 2000,
    rollupOptions: { input: { index: "index.html", docs: "docs.html" } },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8642", "/openapi.json": "http://127.0.0.1:8642" } },
});
