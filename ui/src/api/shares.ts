// Links under which others can read a conversation.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type Share = Reply<"/api/shares", "get">["shares"][number];

export class ShareCalls extends Resource {
  async list(): Promise<readonly Share[]> {
    return (await this.client.call<Reply<"/api/shares", "get">>("GET", "/api/shares")).shares;
  }

  /**
   * Share the conversation for this many days; null never expires. One for the house takes an account here; the reviewer
   * answers for it.
   */
  add(conversation: string, days: number | null, house: boolean, reviewer: string | null): Promise<Share> {
    return this.client.call("POST", `/api/conversations/${conversation}/shares`, { days, house, reviewer });
  }

  revoke(share: string): Promise<void> {
    return this.client.call("DELETE", `/api/shares/${share}`);
  }
}
