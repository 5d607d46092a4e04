// The egress log of outgoing connections.

import { Resource } from "./resource.ts";
import type { Query, Reply } from "./wire.ts";

type Page = Reply<"/api/egress", "get">;

/** A page of the log, newest first; `next` is where the next one begins, `days` is 0 where entries never expire. */
export type EgressLog = Omit<Page, "calls"> & { readonly calls: readonly EgressCall[] };

/** One call. `url` is null once its content was erased; `reason` is a sentence in English. */
export type EgressCall = Omit<Page["calls"][number], "purpose"> & { readonly purpose: Purpose };

export type Verdict = EgressCall["verdict"];
export type Purpose = NonNullable<Query<"/api/egress", "get">["purpose"]>;
export type EgressPolicy = EgressLog["policy"];

/** Filters of the log; an empty one matches everything. */
export interface EgressFilter {
  readonly host: string;
  readonly verdict: Verdict | "";
  readonly purpose: Purpose | "";
}

export class EgressCalls extends Resource {
  /** List the newest calls, or those before the call `before`. */
  list(filter: EgressFilter, before?: number): Promise<EgressLog> {
    const query = parameters(filter);
    if (before !== undefined) query.set("before", String(before));
    return this.client.call("GET", `/api/egress?${query}`);
  }

  export(filter: EgressFilter, format: "csv" | "json"): Promise<Response> {
    const query = parameters(filter);
    query.set("format", format);
    return this.client.request("GET", `/api/egress/export?${query}`);
  }
}

function parameters(filter: EgressFilter): URLSearchParams {
  return new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== ""));
}
