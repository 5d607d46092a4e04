// The API reference: Swagger UI over /openapi.json, in the system's color scheme.

import "swagger-ui-dist/swagger-ui.css";
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import { toAddress } from "./api/address.ts";
import { resolveSubtree } from "./lib/openApiSubtree.ts";

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// Swagger UI's own resolver parses the whole document for each part of it, which takes ten seconds.
const resolver = () => ({ fn: { resolveSubtree: async (...[document, path]: Parameters<typeof resolveSubtree>) => ({ spec: resolveSubtree(document, path), errors: [] }) } });

// Closed groups: with all of over 120 calls open, Swagger UI shows the first few alone.
SwaggerUI({
  url: toAddress("/openapi.json"),
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "none",
  validatorUrl: null,
  plugins: [resolver],
});
