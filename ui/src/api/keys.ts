// The API keys of programs and people.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

export type ApiKey = Reply<"/api/keys", "get">["keys"][number];
export type MadeApiKey = Reply<"/api/keys", "post", 201>;

export class KeyCalls extends Resource {
  async list(): Promise<readonly ApiKey[]> {
    return (await this.client.call<Reply<"/api/keys", "get">>("GET", "/api/keys")).keys;
  }

  make(key: Body<"/api/keys", "post">): Promise<MadeApiKey> {
    return this.client.call("POST", "/api/keys", key);
  }

  remove(name: string): Promise<void> {
    return this.client.call("DELETE", `/api/keys/${encodeURIComponent(name)}`);
  }
}
