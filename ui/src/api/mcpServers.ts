// MCP servers: programs and addresses whose tools models may call.

import type { FileState } from "./files.ts";
import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type McpServers = Reply<"/api/mcp-servers", "get">;
export type McpServer = McpServers["servers"][number];
export type McpListing = NonNullable<McpServer["seen"]>;
export type McpResource = Reply<"/api/mcp-servers/{id}/resources", "get">["resources"][number];
export type McpPrompt = Reply<"/api/mcp-servers/{id}/prompts", "get">["prompts"][number];
export type McpTool = McpListing["tools"][number];

/** A conversation, or the assistant and project of one that isn't stored. */
export interface McpPlace {
  readonly conversation?: string;
  readonly assistant?: string | null;
  readonly project?: string | null;
}

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

/** The parameters with which an MCP server's sign-in page sends the browser back. */
export interface SignInAnswer {
  readonly state: string;
  readonly code: string;
  readonly iss: string | null;
  readonly error: string;
}

export class McpServerCalls extends Resource {
  /** All servers, and whether they are on: in a conversation, in one that would begin like that, or else for the person. */
  list(place: McpPlace = {}): Promise<McpServers> {
    const given = Object.entries(place).filter((entry): entry is [string, string] => typeof entry[1] === "string");
    return this.client.call("GET", `/api/mcp-servers${given.length > 0 ? `?${new URLSearchParams(given)}` : ""}`);
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

  switch(id: string, on: boolean, conversation: string | null = null): Promise<McpServer> {
    return this.client.call("PUT", `/api/mcp-servers/${id}/switch`, { on, conversation });
  }

  async resources(id: string): Promise<readonly McpResource[]> {
    return (await this.client.call<Reply<"/api/mcp-servers/{id}/resources", "get">>("GET", `/api/mcp-servers/${id}/resources`)).resources;
  }

  /** Keep a resource as files. */
  async keep(id: string, uri: string, title: string): Promise<readonly FileState[]> {
    return (await this.client.call<Reply<"/api/mcp-servers/{id}/files", "post", 201>>("POST", `/api/mcp-servers/${id}/files`, { uri, title })).files;
  }

  async prompts(id: string): Promise<readonly McpPrompt[]> {
    return (await this.client.call<Reply<"/api/mcp-servers/{id}/prompts", "get">>("GET", `/api/mcp-servers/${id}/prompts`)).prompts;
  }

  /** Have a prompt written. */
  async write(id: string, name: string, values: Readonly<Record<string, string>>): Promise<string> {
    return (await this.client.call<Reply<"/api/mcp-servers/{id}/prompts", "post">>("POST", `/api/mcp-servers/${id}/prompts`, { name, arguments: values })).text;
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
