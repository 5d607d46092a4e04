// The policy file: where the store differs from it, applying it, and the present state as one.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type PolicyDrift = Reply<"/api/policy/drift", "get">;
export type PolicyChange = PolicyDrift["changes"][number];

export class PolicyCalls extends Resource {
  drift(): Promise<PolicyDrift> {
    return this.client.call("GET", "/api/policy/drift");
  }

  apply(): Promise<unknown> {
    return this.client.call("POST", "/api/policy/apply");
  }

  export(): Promise<Response> {
    return this.client.request("GET", "/api/policy/export");
  }
}
