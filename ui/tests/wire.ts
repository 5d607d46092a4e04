// A fake network: the test answers every request of the page.

import { vi } from "vitest";

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

/** A reply: a value as JSON, a Response as it is; throw a TypeError for a lost connection. */
export type Answering = (request: Request) => unknown;

export function wire(answering: Answering): void {
  vi.stubGlobal("fetch", async (address: string, init: RequestInit = {}) => {
    const { pathname, searchParams } = new URL(address, "http://localhost");
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : null;
    const answer = await answering({ method: init.method ?? "GET", path: pathname, query: searchParams, body });
    init.signal?.throwIfAborted();
    return answer instanceof Response ? answer : Response.json(answer);
  });
}

export function refusal(status: number, message: string): Response {
  return Response.json({ error: { code: "refused", message } }, { status });
}
