import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// The state is tested as the page runs it, on Svelte's client; tests/browser.ts provides the browser.
export default defineConfig({
  plugins: [svelte({ configFile: false })],
  resolve: { conditions: ["browser"] },
  test: {
    include: ["tests/*.test.ts"],
    environment: "./tests/browser.ts",
    server: { deps: { inline: ["svelte"] } },
    testTimeout: 60_000,
  },
});
