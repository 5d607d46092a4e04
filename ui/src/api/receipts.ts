// Receipts of answers.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type Receipt = Reply<"/api/conversations/{id}/messages/{message}/receipt", "get">;

/** The result of checking a file that is a receipt. */
export type ReceiptCheck = NonNullable<Reply<"/api/marks/check", "post">["receipt"]>;

export class ReceiptCalls extends Resource {
  read(conversation: string, message: string): Promise<Response> {
    return this.client.request("GET", `/api/conversations/${conversation}/messages/${message}/receipt`);
  }
}
