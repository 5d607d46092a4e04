// Reports and settings for whoever answers for this installation.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

export type LabelledReport = Reply<"/api/compliance/{name}", "get">;
export type ReportName = LabelledReport["report"]["name"];
export type ReportSection = LabelledReport["report"]["sections"][number];

export type ComplianceSettings = Reply<"/api/compliance/settings", "get">;

export class ComplianceCalls extends Resource {
  report(name: ReportName, language: string): Promise<LabelledReport> {
    return this.client.call("GET", `/api/compliance/${name}?language=${language}`);
  }

  /** The settings in force; for administrators and auditors. */
  settings(): Promise<ComplianceSettings> {
    return this.client.call("GET", "/api/compliance/settings");
  }

  changeSettings(settings: Body<"/api/compliance/settings", "put">): Promise<ComplianceSettings> {
    return this.client.call("PUT", "/api/compliance/settings", settings);
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
