// The API reference: Swagger UI over /openapi.json, in the system's color scheme.

import "swagger-ui-dist/swagger-ui.css";
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import { toAddress } from "./api/address.ts";

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// Closed groups: with all of over 120 calls open, Swagger UI shows the first few alone.
SwaggerUI({ url: toAddress("/openapi.json"), dom_id: "#reference", deepLinking: true, docExpansion: "none", validatorUrl: null });
