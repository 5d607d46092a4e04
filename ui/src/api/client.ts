// The calls of /api, typed. A failure is an ApiError whose message a person can read.

import type { Catalog, Pull, Speakers } from "../lib/catalog.ts";
import type { Box, DocumentPage, Files, FileState, Library } from "../lib/documents.ts";
import { asked, type CallFilter, type Calls } from "./egress.ts";
import type { Conversation, Hit, Mode, Web } from "./events.ts";
import type { Feed, Starter, Taken } from "./feeds.ts";
import { say } from "../lib/i18n/translate.ts";
import { problem } from "../lib/errors.ts";
import type { Plan } from "../lib/research.ts";
import type {
  About, Accepted, Answering, Changes, Deleted, Engine, EngineFields, Format, Model, Page, Picks, Preview, Provider, Remembered, Share, Tagged,
  Tree, Turn, Used, Wanted,
} from "./types.ts";
import type { Kept } from "../state/preferences.svelte.ts";
import type { Service, WebCopy } from "../lib/web.ts";

export class ApiError extends Error {
  /** The HTTP status, or 0 when the server could not be reached. */
  readonly status: number;
  readonly code: string;
  /** The run that holds the conversation, where one does. */
  readonly run: string | null;

  constructor(status: number, code: string, message: string, run: string | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.run = run;
  }

  /** Whether the request may have been carried out although its reply was lost. */
  get lost(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 504;
  }
}

/** What one conversation asks of the server, or of what stands in for it. */
export type Backend = Pick<Api, "conversation" | "change" | "turn" | "begin" | "removeMessage" | "stop" | "events" | "prefill">;

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export class Api {
  key: string | null;
  /** Told of every response, and with null of a call that had none. */
  heard: (response: Response | null) => void = () => {};
  /** Asks the person for the key; resolves to null when none is given. */
  readonly #ask: (wrong: boolean) => Promise<string | null>;

  constructor(key: string | null, ask: (wrong: boolean) => Promise<string | null>) {
    this.key = key;
    this.#ask = ask;
  }

  conversations({ archived, tag, before, limit }: Wanted): Promise<Page> {
    const query = new URLSearchParams({ archived: String(archived), limit: String(limit) });
    if (tag !== null) query.set("tag", tag);
    if (before !== undefined) query.set("before", before);
    return this.call("GET", `/api/conversations?${query}`);
  }

  tags(): Promise<{ tags: Tagged[] }> {
    return this.call("GET", "/api/tags");
  }

  conversation(id: string): Promise<Tree> {
    return this.call("GET", `/api/conversations/${id}`);
  }

  change(id: string, change: Changes): Promise<Conversation> {
    return this.call("PATCH", `/api/conversations/${id}`, change);
  }

  /** Deletes the message with everything under it. */
  removeMessage(conversation: string, message: string): Promise<Conversation> {
    return this.call("DELETE", `/api/conversations/${conversation}/messages/${message}`);
  }

  remove(id: string): Promise<void> {
    return this.call("DELETE", `/api/conversations/${id}`);
  }

  restore(id: string): Promise<Conversation> {
    return this.call("POST", `/api/conversations/${id}/restore`);
  }

  /** How many conversations are kept, the archived ones included. */
  async count(): Promise<number> {
    return (await this.call<{ conversations: number }>("GET", "/api/count")).conversations;
  }

  removeAll(): Promise<Deleted> {
    return this.call("DELETE", "/api/conversations?confirm=all");
  }

  /** Bring back what was deleted together at this moment. */
  restoreAll(moment: number): Promise<void> {
    return this.call("POST", "/api/conversations/restore", { moment });
  }

  async search(words: string, limit: number, signal: AbortSignal): Promise<Hit[]> {
    const query = new URLSearchParams({ q: words, limit: String(limit) });
    const found = await this.call<{ hits: Hit[] }>("GET", `/api/search?${query}`, undefined, signal);
    return found.hits;
  }

  turn(conversation: string, turn: Turn): Promise<Accepted> {
    return this.call("POST", `/api/conversations/${conversation}/turns`, turn);
  }

  /** The first turn, with which the conversation is made. */
  begin(conversation: string, turn: Turn, remembered: Remembered): Promise<Accepted> {
    return this.call("POST", "/api/conversations", { id: conversation, ...remembered, turn });
  }

  /** A message is being written: the engine may read now what comes before it. */
  prefill(writing: { conversation?: string; model?: string; mode?: Mode; web?: Web }): Promise<void> {
    return this.call("POST", "/api/prefill", writing);
  }

  stop(run: string): Promise<void> {
    return this.call("POST", `/api/runs/${run}/stop`);
  }

  models(): Promise<{ models: Model[]; default: string | null; picks: Picks | null }> {
    return this.call("GET", "/api/models");
  }

  catalog(): Promise<Catalog> {
    return this.call("GET", "/api/catalog");
  }

  speakers(language: string): Promise<Speakers> {
    return this.call("GET", `/api/catalog/speakers?${new URLSearchParams({ language })}`);
  }

  async pulls(): Promise<Pull[]> {
    return (await this.call<{ pulls: Pull[] }>("GET", "/api/models/pulls")).pulls;
  }

  /** Begin to fetch a model; `licence_asks` where its licence has to be accepted. */
  pull(name: string, accepted: boolean): Promise<Pull> {
    return this.call("POST", "/api/models/pulls", { name, accept_licence: accepted });
  }

  cancelPull(id: string): Promise<void> {
    return this.call("DELETE", `/api/models/pulls/${id}`);
  }

  removeModel(id: string): Promise<{ freed: number }> {
    return this.call("DELETE", `/api/models/${encodeURIComponent(id)}`);
  }

  about(): Promise<About> {
    return this.call("GET", "/api/about");
  }

  usage(of: { readonly by: "day" | "model"; readonly from?: string }): Promise<Used> {
    return this.call("GET", `/api/usage?${new URLSearchParams(of)}`);
  }

  /** What left, newest first, before the call `before`. */
  egress(filter: CallFilter, before?: number): Promise<Calls> {
    const query = asked(filter);
    if (before !== undefined) query.set("before", String(before));
    return this.call("GET", `/api/egress?${query}`);
  }

  exportEgress(filter: CallFilter, format: "csv" | "json"): Promise<Response> {
    const query = asked(filter);
    query.set("format", format);
    return this.reply("GET", `/api/egress/export?${query}`);
  }

  engines(): Promise<{ engines: Engine[]; providers: Provider[] }> {
    return this.call("GET", "/api/engines");
  }

  addEngine(engine: EngineFields & { readonly name: string }): Promise<Engine> {
    return this.call("POST", "/api/engines", engine);
  }

  changeEngine(name: string, fields: Partial<EngineFields>): Promise<Engine> {
    return this.call("PATCH", `/api/engines/${encodeURIComponent(name)}`, fields);
  }

  removeEngine(name: string): Promise<void> {
    return this.call("DELETE", `/api/engines/${encodeURIComponent(name)}`);
  }

  /** What it can do, as a stream of findings. */
  testEngine(name: string, signal: AbortSignal): Promise<Response> {
    return this.reply("POST", `/api/engines/${encodeURIComponent(name)}/probe`, undefined, signal);
  }

  preferences(): Promise<Kept> {
    return this.call("GET", "/api/preferences");
  }

  /** Keep the whole of them; a 409 when another device has changed them since this version. */
  keepPreferences(preferences: Kept): Promise<Kept> {
    return this.call("PUT", "/api/preferences", preferences);
  }

  /** The run's event stream after event `after`. */
  events(run: string, after: number, signal: AbortSignal): Promise<Response> {
    return fetch(`/api/runs/${run}/events?after=${after}`, {
      headers: { ...this.#headers(), Accept: "text/event-stream" },
      cache: "no-store",
      signal,
    });
  }

  /** Every change from now on, as a stream. */
  changes(signal: AbortSignal): Promise<Response> {
    return this.reply("GET", "/api/changes", undefined, signal);
  }

  /** The event stream of an answer that is not stored; closing it stops the engine. */
  answer(body: Answering, signal: AbortSignal): Promise<Response> {
    return this.reply("POST", "/api/answers", body, signal);
  }

  export(id: string, format: Format): Promise<Response> {
    return this.reply("GET", `/api/conversations/${id}/export?format=${format}`);
  }

  /** Everything as one zip. */
  exportAll(): Promise<Response> {
    return this.reply("GET", "/api/export");
  }

  /** Send a file to be looked at; `progress` is told the share that has gone. */
  upload(file: File, progress: (share: number) => void, signal: AbortSignal): Promise<Preview> {
    return this.#sendUp(`/api/imports?${new URLSearchParams({ name: file.name })}`, file, progress, signal);
  }

  /** Keep what the file holds; the reply streams how far that is. */
  keepImport(id: string, signal: AbortSignal): Promise<Response> {
    return this.reply("POST", `/api/imports/${id}`, undefined, signal);
  }

  dropImport(id: string): Promise<void> {
    return this.call("DELETE", `/api/imports/${id}`);
  }

  share(id: string, days: number | null): Promise<Share> {
    return this.call("POST", `/api/conversations/${id}/shares`, { days });
  }

  async shares(): Promise<Share[]> {
    return (await this.call<{ shares: Share[] }>("GET", "/api/shares")).shares;
  }

  revoke(share: string): Promise<void> {
    return this.call("DELETE", `/api/shares/${share}`);
  }

  /** Have a file read: for a message, or for the library that is named. */
  addFile(file: File, library: string | null, progress: (share: number) => void, signal: AbortSignal): Promise<FileState> {
    const name = file.name.replace(/[/\\\p{Cc}]/gu, "_").slice(-255);
    const query = new URLSearchParams(library === null ? { name } : { name, library });
    return this.#sendUp(`/api/files?${query}`, file, progress, signal);
  }

  file(id: string): Promise<FileState> {
    return this.call("GET", `/api/files/${id}`);
  }

  /** The files of a library, from the newest on or after those that were read before. */
  files(library: string, before: string | null): Promise<Files> {
    const query = new URLSearchParams(before === null ? { library } : { library, before });
    return this.call("GET", `/api/files?${query}`);
  }

  /** Erase a file with all that was read of it. */
  removeFile(id: string): Promise<void> {
    return this.call("DELETE", `/api/files/${id}`);
  }

  readAgain(id: string): Promise<FileState> {
    return this.call("POST", `/api/files/${id}/retry`);
  }

  /** The file itself. */
  content(id: string): Promise<Response> {
    return this.reply("GET", `/api/files/${id}/content`);
  }

  page(file: string, page: number, signal: AbortSignal): Promise<DocumentPage> {
    return this.call("GET", `/api/files/${file}/pages/${page}`, undefined, signal);
  }

  /** The picture of a page, so many pixels wide. */
  async picture(address: string, width: number, signal: AbortSignal): Promise<Blob> {
    return (await this.reply("GET", `${address}?width=${width}`, undefined, signal)).blob();
  }

  /** Where characters `start` to `end` of a document stand on its pages. */
  boxes(file: string, start: number, end: number, signal: AbortSignal): Promise<Box[]> {
    return this.call("GET", `/api/files/${file}/boxes?start=${start}&end=${end}`, undefined, signal);
  }

  /** A page of the web as it was read for an answer. */
  webPage(id: string, signal: AbortSignal): Promise<WebCopy> {
    return this.call("GET", `/api/web/pages/${id}`, undefined, signal);
  }

  /** Who can be asked on the web. */
  services(): Promise<Service[]> {
    return this.call("GET", "/api/web/services");
  }

  /** The questions that would be looked into for a report. */
  plan(wanted: { readonly question: string; readonly model?: string; readonly mode?: Mode }, signal: AbortSignal): Promise<Plan> {
    return this.call("POST", "/api/research/plan", wanted, signal);
  }

  libraries(): Promise<Library[]> {
    return this.call("GET", "/api/libraries");
  }

  addLibrary(name: string): Promise<Library> {
    return this.call("POST", "/api/libraries", { name });
  }

  renameLibrary(id: string, name: string): Promise<Library> {
    return this.call("PATCH", `/api/libraries/${id}`, { name });
  }

  /** Erase a library with its files. */
  removeLibrary(id: string): Promise<void> {
    return this.call("DELETE", `/api/libraries/${id}`);
  }

  feeds(): Promise<Feed[]> {
    return this.call("GET", "/api/feeds");
  }

  /** List the feed at an address, or the one that the page there names. */
  addFeed(url: string): Promise<Feed> {
    return this.call("POST", "/api/feeds", { url });
  }

  activateFeed(id: string, active: boolean): Promise<Feed> {
    return this.call("PATCH", `/api/feeds/${id}`, { active });
  }

  /** Erase a feed with its entries. */
  removeFeed(id: string): Promise<void> {
    return this.call("DELETE", `/api/feeds/${id}`);
  }

  /** Have all feeds fetched now, or that one. */
  refreshFeeds(id: string | null): Promise<{ readonly feeds: number }> {
    return this.call("POST", id === null ? "/api/feeds/refresh" : `/api/feeds/refresh?id=${id}`);
  }

  starters(): Promise<Starter[]> {
    return this.call("GET", "/api/feeds/starter");
  }

  addStarters(chosen: { readonly urls: readonly string[] } | { readonly language: string }): Promise<Taken> {
    return this.call("POST", "/api/feeds/starter", chosen);
  }

  /** Add the feeds of an OPML list. */
  importFeeds(file: File): Promise<Taken> {
    const name = file.name.slice(0, 200);
    return this.#sendUp(`/api/feeds/opml?${new URLSearchParams({ name })}`, file, () => {}, new AbortController().signal);
  }

  exportFeeds(): Promise<Response> {
    return this.reply("GET", "/api/feeds/opml");
  }

  async #sendUp<T>(path: string, file: File, progress: (share: number) => void, signal: AbortSignal): Promise<T> {
    const response = await sent(path, file, this.#headers(), progress, signal);
    if (!response.ok) throw await failure(response);
    return (await response.json()) as T;
  }

  #headers(): Record<string, string> {
    return this.key === null ? {} : { Authorization: `Bearer ${this.key}` };
  }

  /** What the reply says, as JSON; nothing where it says nothing. */
  async call<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const response = await this.reply(method, path, body, signal);
    const nothing = response.status === 204 || response.headers.get("Content-Type")?.includes("json") !== true;
    return (nothing ? undefined : await response.json()) as T;
  }

  /** The reply, once the key is right; a failure is thrown. */
  async reply(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    for (;;) {
      const used = this.key;
      const response = await this.#send(method, path, body, signal);
      if (response.status === 401) {
        if (this.key !== used) continue;
        const key = await this.#ask(this.key !== null);
        if (key !== null) {
          this.key = key;
          continue;
        }
      }
      if (!response.ok) throw await failure(response);
      return response;
    }
  }

  async #send(method: Method, path: string, body: unknown, signal: AbortSignal | undefined): Promise<Response> {
    const init: RequestInit = { method, headers: this.#headers(), signal: signal ?? null };
    if (body !== undefined) {
      init.headers = { ...this.#headers(), "Content-Type": "application/json" };
      init.body = JSON.stringify(body);
    }
    try {
      const response = await fetch(path, init);
      this.heard(response);
      return response;
    } catch (error) {
      if (signal?.aborted) throw error;
      this.heard(null);
      throw new ApiError(0, "unreachable", say("unreachable"));
    }
  }
}

async function failure(response: Response): Promise<ApiError> {
  try {
    const { error } = (await response.json()) as { error: { code: string; message: string; run?: string | null } };
    return new ApiError(response.status, error.code, problem(error.code, error.message, response.status), error.run ?? null);
  } catch {
    return new ApiError(response.status, "error", say("refused", { status: response.status }));
  }
}

/** As fetch does it, which cannot tell how much of the body has gone. */
function sent(
  path: string,
  body: Blob,
  headers: Record<string, string>,
  progress: (share: number) => void,
  signal: AbortSignal,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Content-Type", body.type || "application/octet-stream");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => progress(loaded / Math.max(total, 1));
    request.onload = () => {
      const type = request.getResponseHeader("Content-Type") ?? "";
      resolve(new Response(request.responseText, { status: request.status, headers: { "Content-Type": type } }));
    };
    request.onerror = () => reject(new ApiError(0, "unreachable", say("unreached")));
    request.onabort = () => reject(new DOMException("aborted", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}
