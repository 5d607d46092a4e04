// Questions that may follow an answer.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export class FollowUpCalls extends Resource {
  suggest(conversation: string, message: string, signal: AbortSignal): Promise<Reply<"/api/conversations/{id}/messages/{message}/follow-ups", "post">> {
    return this.client.call("POST", `/api/conversations/${conversation}/messages/${message}/follow-ups`, undefined, signal);
  }
}
