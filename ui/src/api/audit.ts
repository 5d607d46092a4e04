// The audit log: who did what.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

/** A page of the log, newest first; `next` is where the next one begins, `people` has the names of people by id. */
export type AuditLogPage = Reply<"/api/audit", "get">;
export type Act = AuditLogPage["acts"][number];
export type Verification = Reply<"/api/audit/verify", "get">;

/** A place outside that gets the log; one without an id stands in the settings file. */
export type AuditDestination = Reply<"/api/audit/destinations", "get">["destinations"][number];
export type DestinationKind = AuditDestination["kind"];
export const DESTINATION_KINDS: readonly DestinationKind[] = ["syslog", "webhook", "file"];

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

  async destinations(): Promise<readonly AuditDestination[]> {
    return (await this.client.call<Reply<"/api/audit/destinations", "get">>("GET", "/api/audit/destinations")).destinations;
  }

  /** Add a destination; resolves to all of them. */
  async addDestination(destination: Body<"/api/audit/destinations", "post">): Promise<readonly AuditDestination[]> {
    return (await this.client.call<Reply<"/api/audit/destinations", "post", 201>>("POST", "/api/audit/destinations", destination)).destinations;
  }

  async changeDestination(id: string, change: Body<"/api/audit/destinations/{id}", "patch">): Promise<readonly AuditDestination[]> {
    return (await this.client.call<Reply<"/api/audit/destinations/{id}", "patch">>("PATCH", `/api/audit/destinations/${id}`, change)).destinations;
  }

  removeDestination(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/audit/destinations/${id}`);
  }

  testDestination(id: string): Promise<void> {
    return this.client.call("POST", `/api/audit/destinations/${id}/test`);
  }

  testNewDestination(destination: Body<"/api/audit/destinations/test", "post">): Promise<void> {
    return this.client.call("POST", "/api/audit/destinations/test", destination);
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
