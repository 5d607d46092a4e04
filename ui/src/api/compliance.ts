// Reports for whoever answers for this installation.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type LabelledReport = Reply<"/api/compliance/{name}", "get">;
export type ReportName = LabelledReport["report"]["name"];
export type ReportSection = LabelledReport["report"]["sections"][number];

export class ComplianceCalls extends Resource {
  report(name: ReportName, language: string): Promise<LabelledReport> {
    return this.client.call("GET", `/api/compliance/${name}?language=${language}`);
  }

  /** The report as a Markdown file. */
  file(name: ReportName, language: string): Promise<Response> {
    return this.client.request("GET", `/api/compliance/${name}?language=${language}&format=markdown`);
  }

  /** Count that the literacy page was offered or read; by whom isn't said. */
  count(event: "offered" | "read"): Promise<void> {
    return this.client.call("POST", "/api/compliance/literacy", { event });
  }
}
