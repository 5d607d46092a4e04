// Decisions on calls of tools that wait for a person, and answers to what their servers ask.

import type { CallDecision, ElicitationAction } from "./events.ts";
import { Resource } from "./resource.ts";

export type SentValue = string | number | boolean | string[];

export class CallDecisions extends Resource {
  decide(run: string, call: string, decision: CallDecision): Promise<void> {
    return this.client.call("POST", `/api/runs/${run}/calls/${encodeURIComponent(call)}`, { decision });
  }

  /** Answer a question by its number in the call. */
  answer(run: string, call: string, number: number, action: ElicitationAction, content: Record<string, SentValue>): Promise<void> {
    return this.client.call("POST", `/api/runs/${run}/calls/${encodeURIComponent(call)}/questions/${number}`, { action, content });
  }
}
