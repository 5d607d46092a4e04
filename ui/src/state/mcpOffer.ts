// MCP servers as the composer offers them: whether there are any, and their prompts. It is loaded once it is needed.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import { type McpServer, McpServerCalls } from "../api/mcpServers.ts";
import { t } from "../lib/i18n/translate.ts";
import type { BlankText } from "../lib/prompts.ts";

const MAX_AGE_MS = 60_000;

export interface McpOffer {
  readonly servers: readonly McpServer[];
  readonly prompts: readonly { readonly id: string; readonly name: string; readonly hint: string; readonly blank: BlankText }[];
}

/** The app, as far as it knows of servers. */
interface Host {
  readonly api: Api;
  mcp: McpOffer;
}

let asked = -Infinity;

/** Learn which servers there are. */
export async function loadServers(app: Host): Promise<void> {
  try {
    const { servers } = await new McpServerCalls(app.api.client).list();
    app.mcp = { ...app.mcp, servers };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // the connection is lost, which the page shows elsewhere
  }
}

/** Ask the servers that are on for their prompts, unless that was done a moment ago. */
export async function loadPrompts(app: Host): Promise<void> {
  if (performance.now() - asked < MAX_AGE_MS) return;
  asked = performance.now();
  await loadServers(app);
  const having = app.mcp.servers.filter(({ on, prompts, state }) => on && prompts && state === "ready");
  const found = await Promise.allSettled(having.map((server) => promptsOf(server, new McpServerCalls(app.api.client))));
  app.mcp = { ...app.mcp, prompts: found.flatMap((each) => (each.status === "fulfilled" ? each.value : [])) };
}

async function promptsOf({ id, name: server }: McpServer, calls: McpServerCalls): Promise<McpOffer["prompts"]> {
  return (await calls.prompts(id)).map(({ name, title, arguments: blanks }) => ({
    id: `${id}/${name}`,
    name: `/${server}:${name}`,
    hint: `${title} · ${t("mcpPrompt", { name: server })}`,
    blank: {
      name: title,
      blanks: blanks.map((blank) => ({ name: blank.name, label: blank.title, hint: blank.description, required: blank.required })),
      write: (values) => calls.write(id, name, values),
    },
  }));
}
