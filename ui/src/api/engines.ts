// Model servers: listing, adding, changing and testing them.

import { Resource } from "./resource.ts";
import type { Body, Frame, Reply } from "./wire.ts";

export type EngineList = Reply<"/api/engines", "get">;

/** A model server. `answers` are the models that it offers, `models` those that were named for it. */
export type Engine = EngineList["engines"][number];

/** A well-known server, with its usual address. */
export type Provider = EngineList["providers"][number];

/** The result of a test. `fault` says why the server is of no use, `address` is one that would work. */
export type Probe = NonNullable<Engine["probe"]>;

/** The result for one feature; `detail` says in English why the server lacks it. */
export type Finding = Probe["findings"][number];

/** An event of a test: a finding, then the result or an error. */
export type ProbeFrame = Frame<"/api/engines/{name}/probe", "post">;

export type Feature = Finding["feature"];

/** The settings of a server; an empty key, country or API removes it. */
export type EngineFields = { readonly url: string } & {
  readonly [K in "key" | "models" | "country" | "api" | "endpoints"]?: NonNullable<Body<"/api/engines/{name}", "patch">[K]>;
};

export class EngineCalls extends Resource {
  list(): Promise<EngineList> {
    return this.client.call("GET", "/api/engines");
  }

  add(engine: EngineFields & { readonly name: string }): Promise<Engine> {
    return this.client.call("POST", "/api/engines", engine);
  }

  change(name: string, fields: Partial<EngineFields>): Promise<Engine> {
    return this.client.call("PATCH", `/api/engines/${encodeURIComponent(name)}`, fields);
  }

  remove(name: string): Promise<void> {
    return this.client.call("DELETE", `/api/engines/${encodeURIComponent(name)}`);
  }

  /** Test what the server can do; the response streams the findings. */
  test(name: string, signal: AbortSignal): Promise<Response> {
    return this.client.request("POST", `/api/engines/${encodeURIComponent(name)}/probe`, undefined, signal);
  }
}
