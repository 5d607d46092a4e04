import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// Two pages, the chat and the API reference; every asset is a file of ours, so that the strict
// Content-Security-Policy holds: no inline script, no inline style, no data: script.
export default defineConfig({
  plugins: [svelte()],
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
