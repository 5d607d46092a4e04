// The API reference: Swagger UI over /openapi.json.

import "./styles/tokens.css";
import "swagger-ui-dist/swagger-ui.css";
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

SwaggerUI({ url: "/openapi.json", dom_id: "#reference", deepLinking: true, validatorUrl: null });
