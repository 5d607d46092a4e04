// HTTP requests to the server: the API key, errors, uploads. The calls are in a file for each resource.

import { toAddress } from "./address.ts";

/** Why a call failed, as far as the client knows. */
export type Failure =
  | { readonly kind: "refused"; readonly status: number; readonly code: string; readonly message: string }
  | { readonly kind: "unreadable"; readonly status: number }
  | { readonly kind: "unreachable" }
  | { readonly kind: "upload" };

export class ApiError extends Error {
  /** The HTTP status, or 0 when the server could not be reached. */
  readonly status: number;
  readonly code: string;
  /** The run that holds the conversation, where one does. */
  readonly run: string | null;
  /** The server's own sentence, in English; empty where there was none. */
  readonly detail: string;

  constructor(status: number, code: string, message: string, run: string | null = null, detail = "") {
    super(message);
    this.detail = detail;
    this.status = status;
    this.code = code;
    this.run = run;
  }

  /** True where the request may have been carried out although its reply was lost. */
  get isLost(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 504;
  }
}

/** In place of a key: the browser has a cookie, which no script can read. */
export const SESSION = "\u0000session";

/** The header that says who calls. */
export function authorization(key: string | null): Record<string, string> {
  return key === null ? {} : { Authorization: key === SESSION ? "Session" : `Bearer ${key}` };
}

export interface ClientOptions {
  readonly key: string | null;
  /** Asks the person for the key; resolves to null when none is given. */
  askKey(wrong: boolean): Promise<string | null>;
  /** Describes a failure in the page's language. */
  explain(failure: Failure): string;
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export class Client {
  key: string | null;
  /** Called with every response, and with null after a call that had none. */
  onResponse: (response: Response | null) => void = () => {};
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.key = options.key;
    this.#options = options;
  }

  get headers(): Record<string, string> {
    return authorization(this.key);
  }

  /** Exchange a key for a session of this browser. */
  async beginSession(key: string): Promise<"begun" | "wrong" | "failed"> {
    const { status, ok } = await fetch(toAddress("/api/session"), { method: "POST", headers: authorization(key) });
    return ok ? "begun" : status === 401 ? "wrong" : "failed";
  }

  /** Forget the session or the key. */
  async signOut(): Promise<void> {
    await this.call("DELETE", "/api/session");
    this.key = null;
  }

  /** Send a request and return the reply's JSON; undefined where it is empty. */
  async call<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const response = await this.request(method, path, body, signal);
    const empty = response.status === 204 || response.headers.get("Content-Type")?.includes("json") !== true;
    return (empty ? undefined : await response.json()) as T;
  }

  /** Send a request and return the response. Asks for the key as needed; throws ApiError for every other failure. */
  async request(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    for (;;) {
      const used = this.key;
      const response = await this.#send(method, path, body, signal);
      if (response.ok) return response;
      const failure = await this.#failed(response);
      if (failure.code !== "unauthorized") throw failure;
      if (this.key !== used) continue;
      const key = await this.#options.askKey(this.key !== null && this.key !== SESSION);
      if (key === null) throw failure;
      this.key = key;
    }
  }

  /** Send a file as the body; `progress` is called with the share that was sent, from 0 to 1. A signal that times out
   * means that the server can't be reached. */
  async upload<T>(path: string, file: File, progress: (share: number) => void, signal: AbortSignal): Promise<T> {
    const unreachable = () => new ApiError(0, "unreachable", this.#options.explain({ kind: "upload" }));
    const response = await post(path, file, this.headers, progress, signal, unreachable);
    if (!response.ok) throw await this.#failed(response);
    return (await response.json()) as T;
  }

  async #send(method: Method, path: string, body: unknown, signal: AbortSignal | undefined): Promise<Response> {
    const init: RequestInit = { method, headers: this.headers, signal: signal ?? null };
    if (body !== undefined) {
      init.headers = { ...this.headers, "Content-Type": "application/json" };
      init.body = JSON.stringify(body);
    }
    try {
      const response = await fetch(toAddress(path), init);
      this.onResponse(response);
      return response;
    } catch (error) {
      if (signal?.aborted) throw error;
      this.onResponse(null);
      throw new ApiError(0, "unreachable", this.#options.explain({ kind: "unreachable" }));
    }
  }

  async #failed(response: Response): Promise<ApiError> {
    const { status } = response;
    try {
      const { error } = (await response.json()) as { error: { code: string; message: string; run?: string | null } };
      return new ApiError(status, error.code, this.#options.explain({ kind: "refused", status, ...error }), error.run ?? null, error.message);
    } catch {
      return new ApiError(status, "error", this.#options.explain({ kind: "unreadable", status }));
    }
  }
}

/** Like fetch, which can't report upload progress. */
function post(
  path: string,
  body: Blob,
  headers: Record<string, string>,
  progress: (share: number) => void,
  signal: AbortSignal,
  unreachable: () => ApiError,
): Promise<Response> {
  const aborted = () => (isTimeout(signal.reason) ? unreachable() : new DOMException("aborted", "AbortError"));
  if (signal.aborted) return Promise.reject(aborted());
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", toAddress(path));
    request.setRequestHeader("Content-Type", body.type || "application/octet-stream");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => progress(loaded / Math.max(total, 1));
    request.onload = () => {
      const type = request.getResponseHeader("Content-Type") ?? "";
      resolve(new Response(request.responseText, { status: request.status, headers: { "Content-Type": type } }));
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(aborted());
    signal.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === "TimeoutError";
}
