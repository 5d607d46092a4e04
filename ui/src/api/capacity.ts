// The capacity planner: its choices, plans, and their picture.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

export type PlanChoices = Reply<"/api/plan", "get">;
export type CapacityPlan = Reply<"/api/plan", "post">;
export type CapacityRequest = Body<"/api/plan", "post">;
export type Figure = CapacityPlan["curve"][number]["first_p95_s"];
export type DailyUse = NonNullable<CapacityPlan["always_on"]>;

export class CapacityCalls extends Resource {
  choices(): Promise<PlanChoices> {
    return this.client.call("GET", "/api/plan");
  }

  plan(request: CapacityRequest): Promise<CapacityPlan> {
    return this.client.call("POST", "/api/plan", request);
  }

  /** The plots as an SVG file. */
  picture(request: CapacityRequest): Promise<Response> {
    return this.client.request("POST", "/api/plan/picture", request);
  }
}
