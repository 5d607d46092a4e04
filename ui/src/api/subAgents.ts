// Sub-agents of a research.

import { Resource } from "./resource.ts";

export class SubAgents extends Resource {
  /** Have a sub-agent end with what it has found so far. */
  stop(run: string, agent: string): Promise<void> {
    return this.client.call("POST", `/api/runs/${run}/agents/${agent}/stop`);
  }
}
