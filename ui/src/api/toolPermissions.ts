// Permissions of tools: calls that a person allowed or refused in advance.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type ToolPermission = Reply<"/api/tool-permissions", "get">["permissions"][number];

export class ToolPermissionCalls extends Resource {
  async list(): Promise<readonly ToolPermission[]> {
    return (await this.client.call<Reply<"/api/tool-permissions", "get">>("GET", "/api/tool-permissions")).permissions;
  }

  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/tool-permissions/${encodeURIComponent(id)}`);
  }
}
