// MCP servers: programs and addresses whose tools models may call.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type McpServers = Reply<"/api/mcp-servers", "get">;
export type McpServer = McpServers["servers"][number];
export type McpListing = NonNullable<McpServer["seen"]>;
export type McpTool = McpListing["tools"][number];

/** Fields that a form sets; those left out stay as they are. */
export interface McpServerFields {
  readonly command?: readonly string[];
  readonly url?: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly folders?: readonly string[];
  readonly network?: boolean;
  readonly by_default?: boolean;
}

/** What a browser brings back from the page of a server. */
export interface SignInAnswer {
  readonly state: string;
  readonly code: string;
  readonly iss: string | null;
  readonly error: string;
}

export class McpServerCalls extends Resource {
  list(): Promise<McpServers> {
    return this.client.call("GET", "/api/mcp-servers");
  }

  add(name: string, fields: McpServerFields): Promise<McpServer> {
    return this.client.call("POST", "/api/mcp-servers", { name, ...fields });
  }

  change(id: string, fields: McpServerFields): Promise<McpServer> {
    return this.client.call("PATCH", `/api/mcp-servers/${id}`, fields);
  }

  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/mcp-servers/${id}`);
  }

  check(id: string): Promise<McpServer> {
    return this.client.call("POST", `/api/mcp-servers/${id}/check`);
  }

  approve(id: string, fingerprint: string): Promise<McpServer> {
    return this.client.call("POST", `/api/mcp-servers/${id}/approve`, { fingerprint });
  }

  switch(id: string, on: boolean): Promise<McpServer> {
    return this.client.call("PUT", `/api/mcp-servers/${id}/switch`, { on, conversation: null });
  }

  beginSignIn(id: string): Promise<{ url: string }> {
    return this.client.call("POST", `/api/mcp-servers/${id}/sign-in`);
  }

  finishSignIn(answer: SignInAnswer): Promise<McpServer> {
    return this.client.call("POST", "/api/mcp-servers/sign-ins", answer);
  }

  endSignIn(id: string): Promise<McpServer> {
    return this.client.call("DELETE", `/api/mcp-servers/${id}/sign-in`);
  }
}
