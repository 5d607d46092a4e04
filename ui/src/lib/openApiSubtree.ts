// Parts of an OpenAPI document with what their references name in place of the references.

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Copy the part at a path. A reference to something that it is part of stays one. */
export function resolveSubtree(document: Json, path: readonly string[]): Json {
  const resolved = new Map<string, Json>();
  const open = new Set<string>();
  /** References left in place so far. They depend on where the copying began, so a copy with one isn't reused. */
  let cycles = 0;

  function copy(value: Json): Json {
    if (value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map(copy);
    const { $ref: reference, ...siblings } = value as { readonly [name: string]: Json };
    if (typeof reference !== "string" || !reference.startsWith("#/")) {
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, copy(each)]));
    }
    const named = follow(reference);
    if (typeof named !== "object" || named === null || Array.isArray(named)) return named;
    return { ...named, ...(copy(siblings) as object) };
  }

  function follow(reference: string): Json {
    const known = resolved.get(reference);
    if (known !== undefined) return known;
    if (open.has(reference)) {
      cycles += 1;
      return { $ref: reference };
    }
    const before = cycles;
    open.add(reference);
    const named = copy(find(document, pointerPath(reference)));
    open.delete(reference);
    if (cycles === before) resolved.set(reference, named);
    return named;
  }

  return copy(find(document, path));
}

function find(document: Json, path: readonly string[]): Json {
  return path.reduce<Json>((part, name) => (part as { readonly [name: string]: Json } | null)?.[name] ?? null, document);
}

/** The names in a JSON pointer, such as `#/paths/~1v1~1models`. */
function pointerPath(reference: string): string[] {
  return decodeURIComponent(reference.slice(2)).split("/").map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}
