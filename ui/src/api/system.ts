// The installation: its version, what may leave it, its usage, and its backups.

import { toAddress } from "./address.ts";
import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type About = Reply<"/api/about", "get">;

/** Data that may leave the server's machine, and to which hosts. `engine` is the one whose answers need it. */
export type OutgoingData = About["leaving"][number];

/** Totals, and the server's own date (YYYY-MM-DD). */
export type UsageReport = Reply<"/api/usage", "get">;

/** Totals of answers; the energy of `metered` of them is known. `grams` are of CO₂. */
export type UsageTotals = UsageReport["total"];

/** Regular backups: their folder, the newest one, and the progress of one that is being made. */
export type BackupStatus = Reply<"/api/backups", "get">;

/** Whether what is stored is whole; the server's sentence says what is wrong. */
export type StorageReport = Reply<"/api/storage", "get">;

/** Documents that wait to be read or embedded, and the processes that do background work. */
export type JobsReport = Reply<"/api/jobs", "get">;

/** The state of each engine. */
export type HealthReport = Extract<Reply<"/api/health", "get">, { readonly engines: unknown }>;

export class SystemCalls extends Resource {
  about(): Promise<About> {
    return this.client.call("GET", "/api/about");
  }

  usage(query: { readonly by: "day" | "model"; readonly from?: string }): Promise<UsageReport> {
    return this.client.call("GET", `/api/usage?${new URLSearchParams(query)}`);
  }

  storage(): Promise<StorageReport> {
    return this.client.call("GET", "/api/storage");
  }

  jobs(): Promise<JobsReport> {
    return this.client.call("GET", "/api/jobs");
  }

  /** A server of which no engine is ready says so by its status, and sends the same report. */
  async health(): Promise<HealthReport> {
    const response = await fetch(toAddress("/api/health"), { headers: this.client.headers });
    return (await response.json()) as HealthReport;
  }

  backups(): Promise<BackupStatus> {
    return this.client.call("GET", "/api/backups");
  }

  /** Begin a backup, unless one is being made. */
  backUp(): Promise<BackupStatus> {
    return this.client.call("POST", "/api/backups");
  }
}
