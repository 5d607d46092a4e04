// Addresses with names in braces to fill in, of the simplest kind in RFC 6570.

const NAME = /\{([A-Za-z0-9_.]{1,60})\}/g;

/** The names to fill in, each once; null for a template of a kind that can't be asked for. */
export function templateNames(uri: string): string[] | null {
  const rest = uri.replace(NAME, "");
  return rest.includes("{") || rest.includes("}") ? null : [...new Set([...uri.matchAll(NAME)].map(([, name]) => name ?? ""))];
}

/** The address with its names filled in. */
export function fillTemplate(uri: string, values: Readonly<Record<string, string>>): string {
  return uri.replace(NAME, (_, name: string) => encodeURIComponent(values[name] ?? ""));
}
