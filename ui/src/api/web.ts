// Web search by the server, and research plans.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

/** A search service; `asked` where it is in use. `jurisdiction` is an ISO code, `machine`, `network` or `unknown`. */
export type SearchService = Reply<"/api/web/services", "get">[number];

/** The web settings; `fixed` names what the settings file says. */
export type WebSettings = Reply<"/api/web/settings", "get">;

export type WebSettingsChange = Body<"/api/web/settings", "patch">;

export type ServiceSettings = WebSettings["services"][number];

export type Policy = WebSettings["policy"];

/** The outcome of a test search. */
export type ServiceTest = Reply<"/api/web/services/{name}/test", "post">;

/** The stored copy of a web page. `published` is a day (ISO 8601), `fetched` milliseconds since 1970. */
export type WebCopy = Reply<"/api/web/pages/{id}", "get">;

/** The questions of a plan, and whether the model or a rule made them. */
export type ResearchPlan = Reply<"/api/research/plan", "post">;

export class WebCalls extends Resource {
  page(id: string, signal: AbortSignal): Promise<WebCopy> {
    return this.client.call("GET", `/api/web/pages/${id}`, undefined, signal);
  }

  services(): Promise<readonly SearchService[]> {
    return this.client.call("GET", "/api/web/services");
  }

  settings(): Promise<WebSettings> {
    return this.client.call("GET", "/api/web/settings");
  }

  changeSettings(change: WebSettingsChange): Promise<WebSettings> {
    return this.client.call("PATCH", "/api/web/settings", change);
  }

  /** Really ask a service. */
  testService(name: string): Promise<ServiceTest> {
    return this.client.call("POST", `/api/web/services/${encodeURIComponent(name)}/test`);
  }

  /** Plan the questions of a report. */
  plan(request: Body<"/api/research/plan", "post">, signal: AbortSignal): Promise<ResearchPlan> {
    return this.client.call("POST", "/api/research/plan", request, signal);
  }
}
