// Bodies and replies of the HTTP API by method and path, from the types that are generated of its description.

import type { paths } from "./schema.ts";

type Path = keyof paths;

/** The JSON that a call sends. */
export type Body<P extends Path, M extends keyof paths[P]> = paths[P][M] extends { readonly requestBody?: { readonly content: { readonly "application/json": infer Json } } }
  ? Json
  : never;

/** The JSON that a call answers with. */
export type Reply<P extends Path, M extends keyof paths[P], Status extends number = 200> = paths[P][M] extends {
  readonly responses: { readonly [code in Status]: { readonly content: { readonly "application/json": infer Json } } };
}
  ? Json
  : never;

/** The parameters that a call takes behind the question mark. */
export type Query<P extends Path, M extends keyof paths[P]> = paths[P][M] extends { readonly parameters: { readonly query?: infer Parameters } }
  ? NonNullable<Parameters>
  : never;
