// Addresses of this Éclair: it may be served under a path such as `/assistant`.

/** The path under which Éclair is served, without a slash at its end; the server writes it into the page. */
export const BASE_PATH = (document.documentElement.dataset["base"] ?? "").replace(/^\.?\/$|\/$/, "");

/** Turn a path of Éclair, such as `/settings`, into the path of its address. */
export function toAddress(path: string): string {
  return BASE_PATH + path;
}

/** The path of Éclair that the browser shows, such as `/settings`. */
export function currentPath(): string {
  const { pathname } = location;
  if (pathname === BASE_PATH) return "/";
  return pathname.startsWith(`${BASE_PATH}/`) ? pathname.slice(BASE_PATH.length) : pathname;
}
