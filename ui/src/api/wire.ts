// Request bodies and replies of the HTTP API by method and path, from the generated OpenAPI types.

import type { paths } from "./schema.ts";

type Path = keyof paths;

/** The JSON body of a call. */
export type Body<P extends Path, M extends keyof paths[P]> = paths[P][M] extends { readonly requestBody?: { readonly content: { readonly "application/json": infer Json } } }
  ? Json
  : never;

/** The JSON reply to a call. */
export type Reply<P extends Path, M extends keyof paths[P], Status extends number = 200> = paths[P][M] extends {
  readonly responses: { readonly [code in Status]: { readonly content: { readonly "application/json": infer Json } } };
}
  ? Json
  : never;

/** A frame of the server-sent events that a call streams. */
export type Frame<P extends Path, M extends keyof paths[P]> = paths[P][M] extends {
  readonly responses: { readonly 200: { readonly content: { readonly "text/event-stream": infer Event } } };
}
  ? Event
  : never;

/** The query parameters of a call. */
export type Query<P extends Path, M extends keyof paths[P]> = paths[P][M] extends { readonly parameters: { readonly query?: infer Parameters } }
  ? NonNullable<Parameters>
  : never;
