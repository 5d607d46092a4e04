// Decisions on calls of tools that wait for a person.

import type { CallDecision } from "./events.ts";
import { Resource } from "./resource.ts";

export class CallDecisions extends Resource {
  decide(run: string, call: string, decision: CallDecision): Promise<void> {
    return this.client.call("POST", `/api/runs/${run}/calls/${encodeURIComponent(call)}`, { decision });
  }
}
