// What the installation says of itself: its version, what may leave it, and how much it was used.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type About = Reply<"/api/about", "get">;

/** What may leave the server's machine, and to which hosts. `engine` is the one whose answers it belongs to. */
export type OutgoingData = About["leaving"][number];

/** Sums, and the server's own day (YYYY-MM-DD). */
export type UsageReport = Reply<"/api/usage", "get">;

/** What answers took together; of `metered` answers the energy is known. `grams` are of CO₂. */
export type UsageTotals = UsageReport["total"];

export class SystemCalls extends Resource {
  about(): Promise<About> {
    return this.client.call("GET", "/api/about");
  }

  usage(query: { readonly by: "day" | "model"; readonly from?: string }): Promise<UsageReport> {
    return this.client.call("GET", `/api/usage?${new URLSearchParams(query)}`);
  }
}
