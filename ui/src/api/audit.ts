// The audit log: who did what.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** A page of the log, newest first; `next` is where the next one begins, `people` has the names of people by id. */
export type AuditLogPage = Reply<"/api/audit", "get">;
export type Act = AuditLogPage["acts"][number];
export type Verification = Reply<"/api/audit/verify", "get">;

/** Filters of the log; an empty one matches everything. `since` and `until` are days, both included. */
export interface ActFilter {
  readonly person: string;
  readonly action: string;
  readonly since: string;
  readonly until: string;
}

export class AuditCalls extends Resource {
  /** List the newest acts, or those before the act `before`. */
  list(filter: ActFilter, before?: number): Promise<AuditLogPage> {
    const query = parameters(filter);
    if (before !== undefined) query.set("before", String(before));
    return this.client.call("GET", `/api/audit?${query}`);
  }

  verify(): Promise<Verification> {
    return this.client.call("GET", "/api/audit/verify");
  }

  checkpoint(): Promise<Response> {
    return this.client.request("GET", "/api/audit/checkpoint");
  }

  export(filter: ActFilter, format: "jsonl" | "ocsf"): Promise<Response> {
    const query = parameters(filter);
    query.set("format", format);
    return this.client.request("GET", `/api/audit/export?${query}`);
  }
}

function parameters({ person, action, since, until }: ActFilter): URLSearchParams {
  const query = new URLSearchParams();
  if (person !== "") query.set("person", person);
  if (action !== "") query.set("action", action);
  if (since !== "") query.set("since", String(startOfDay(since, 0)));
  if (until !== "") query.set("until", String(startOfDay(until, 1)));
  return query;
}

/** The moment at which a day such as 2026-11-28 begins here, or a day some days later. */
function startOfDay(day: string, later: number): number {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).getTime();
}
