// The service worker: opens the page without its server, and stores the conversations that were read last. Replies of a
// server with a key are never stored: whoever has the browser but not the key can't read anything.

declare const self: ServiceWorkerGlobalScope;
/** The page's own files and the hash of their version, put in by the build. */
declare const SHELL: readonly string[];
declare const VERSION: string;

/** The path under which Éclair is served, without a slash at its end. */
const BASE_PATH = new URL(".", self.location.href).pathname.slice(0, -1);
const FILE_CACHES = `eclair${BASE_PATH}-files-`;
const FILES = FILE_CACHES + VERSION;
const CONVERSATIONS = `eclair${BASE_PATH}-conversations`;
const MAX_CONVERSATIONS = 20;
const PAGE_TIMEOUT_MS = 4000;
const REFRESH_INTERVAL_MS = 600_000;

const APP = /^\/(?:c\/[\w-]+|settings(?:\/[\w-]+)?|libraries|news|pictures|usage|connections|admin(?:\/[\w-]+)*)?$/;
const FILE = /^\/(?:assets\/.+|first\.js|favicon\.svg|manifest\.webmanifest)$/;
const CONVERSATION = /^\/api\/conversations\/conv_\w+$/;
const LIST = `${BASE_PATH}/api/conversations`;

/** A message from the page: store a conversation as it is now, cache these files, or refresh all stored conversations. */
type WorkerMessage = { readonly keep: string } | { readonly hold: readonly string[] } | { readonly refresh: true };

interface ListedConversation {
  readonly updated: number;
  readonly pinned: boolean;
  readonly archived: boolean;
  readonly tags: readonly string[];
}

/** Changes of the stored conversations run one after another. */
let changes: Promise<unknown> = Promise.resolve();
let lastRefresh = 0;

self.addEventListener("install", (event) => {
  const fill = async () => {
    const files = await caches.open(FILES);
    await files.addAll(SHELL.map((path) => new Request(path, { cache: "no-cache" })));
    await self.skipWaiting();
  };
  event.waitUntil(fill());
});

self.addEventListener("activate", (event) => {
  const activate = async () => {
    const outdated = (await caches.keys()).filter((name) => name.startsWith(FILE_CACHES) && name !== FILES);
    await Promise.all(outdated.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(activate());
});

self.addEventListener("message", (event) => {
  const message = event.data as WorkerMessage;
  if ("keep" in message) event.waitUntil(reload(`${LIST}/${message.keep}`));
  else if ("hold" in message) event.waitUntil(cacheFiles(message.hold));
  else event.waitUntil(refresh());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname, searchParams } = new URL(request.url);
  if (origin !== self.location.origin || !pathname.startsWith(`${BASE_PATH}/`)) return;
  const isConversation = CONVERSATION.test(ownPath(pathname));
  if (request.method === "DELETE" && (pathname === LIST || isConversation)) {
    event.respondWith(remove(request, pathname));
  } else if (request.method !== "GET" || request.headers.has("Authorization")) return;
  else if (request.mode === "navigate") {
    if (APP.test(ownPath(pathname))) event.respondWith(page(request));
  } else if (FILE.test(ownPath(pathname))) event.respondWith(file(request));
  else if (pathname === LIST) event.respondWith(list(request, searchParams));
  else if (isConversation) event.respondWith(conversation(event, pathname));
});

/** The path within Éclair of an address's path. */
function ownPath(pathname: string): string {
  return pathname.slice(BASE_PATH.length);
}

/** The server's page or, where it can't be reached, the cached one. */
async function page(request: Request): Promise<Response> {
  const stored = async () => (await (await caches.open(FILES)).match("./")) ?? Response.error();
  const timeout = new Promise<null>((resolve) => setTimeout(resolve, PAGE_TIMEOUT_MS, null));
  try {
    const response = await Promise.race([fetch(request), timeout]);
    return response === null || isUnreachable(response) ? await stored() : response;
  } catch {
    return stored();
  }
}

/** A file's name changes with its content, so a cached one is always right. */
async function file(request: Request): Promise<Response> {
  const files = await caches.open(FILES);
  const known = await files.match(request);
  if (known !== undefined) return known;
  const response = await fetch(request);
  if (response.ok) await files.put(request, response.clone());
  return response;
}

async function cacheFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (FILE.test(ownPath(new URL(path, self.location.origin).pathname))) await file(new Request(path));
  }
}

async function conversation(event: FetchEvent, path: string): Promise<Response> {
  try {
    const response = await fetch(event.request);
    if (!isUnreachable(response)) {
      event.waitUntil(update(path, response.clone()));
      return response;
    }
  } catch (error) {
    if (event.request.signal.aborted) throw error;
  }
  const stored = await (await caches.open(CONVERSATIONS)).match(path);
  return stored === undefined ? Response.error() : storedReply(await stored.blob());
}

/** The server's list or, where it can't be reached, the stored conversations. */
async function list(request: Request, query: URLSearchParams): Promise<Response> {
  try {
    const response = await fetch(request);
    if (response.status === 401) await forget(null);
    if (!isUnreachable(response)) return response;
  } catch (error) {
    if (request.signal.aborted) throw error;
  }
  const stored = await caches.open(CONVERSATIONS);
  const found: ListedConversation[] = [];
  for (const key of await stored.keys()) {
    const tree = (await (await stored.match(key))?.json()) as { conversation: ListedConversation } | undefined;
    if (tree !== undefined) found.push(tree.conversation);
  }
  if (found.length === 0) return Response.error();
  const tag = query.get("tag");
  const archived = query.get("archived") === "true";
  const matching = found
    .filter((one) => one.archived === archived && (tag === null || one.tags.includes(tag)))
    .sort((a, b) => b.updated - a.updated);
  const isPinned = (one: ListedConversation) => one.pinned && !archived;
  const listed = { pinned: matching.filter(isPinned), conversations: matching.filter((one) => !isPinned(one)), next: null };
  return storedReply(new Blob([JSON.stringify(listed)]));
}

async function remove(request: Request, path: string): Promise<Response> {
  const response = await fetch(request);
  if (response.ok || response.status === 404) await forget(path === LIST ? null : path);
  return response;
}

/** Store or delete a conversation, by the server's reply. */
async function update(path: string, response: Response): Promise<void> {
  if (response.ok) await store(path, response);
  else if (response.status === 404) await forget(path);
  else if (response.status === 401) await forget(null);
}

function store(path: string, response: Response): Promise<void> {
  return enqueue(async () => {
    const stored = await caches.open(CONVERSATIONS);
    const copy = new Response(await response.blob(), { headers: { "Content-Type": "application/json" } });
    await stored.delete(path);
    await stored.put(path, copy);
    const keys = await stored.keys();
    for (const key of keys.slice(0, Math.max(0, keys.length - MAX_CONVERSATIONS))) await stored.delete(key);
  });
}

/** Delete one stored conversation, or all of them with null. */
function forget(path: string | null): Promise<void> {
  return enqueue(async () => {
    if (path === null) await caches.delete(CONVERSATIONS);
    else await (await caches.open(CONVERSATIONS)).delete(path);
  });
}

function enqueue(change: () => Promise<void>): Promise<void> {
  const done = changes.then(change);
  changes = done.catch(() => undefined);
  return done;
}

async function reload(path: string): Promise<void> {
  try {
    const response = await fetch(path);
    if (!isUnreachable(response)) await update(path, response);
  } catch {
    // The server can't be reached; what is stored stays.
  }
}

/** Refresh the stored conversations, oldest first to keep their order; those deleted elsewhere are deleted here too. */
async function refresh(): Promise<void> {
  if (Date.now() - lastRefresh < REFRESH_INTERVAL_MS) return;
  lastRefresh = Date.now();
  for (const { url } of await (await caches.open(CONVERSATIONS)).keys()) await reload(new URL(url).pathname);
}

/** A proxy answers in place of a server that can't be reached. */
function isUnreachable({ status }: Response): boolean {
  return status === 502 || status === 504;
}

function storedReply(body: Blob): Response {
  return new Response(body, { headers: { "Content-Type": "application/json", "X-Eclair-Kept": "1" } });
}
