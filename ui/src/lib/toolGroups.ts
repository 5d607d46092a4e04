// The tools that an assistant or a project may offer, by what they do or whose they are.

import { ApiError, type Client } from "../api/client.ts";
import { McpServerCalls } from "../api/mcpServers.ts";
import type { PlainKey } from "./i18n/translate.ts";

interface ToolGroup {
  readonly tools: readonly string[];
}

interface OwnTools extends ToolGroup {
  readonly label: PlainKey | "Python";
}

/** The tools of an MCP server that were allowed, and its resources. It is `on` where the person has it on. */
export interface ServerTools extends ToolGroup {
  readonly name: string;
  readonly on: boolean;
}

export const TOOL_GROUPS: readonly OwnTools[] = [
  { label: "webSearch", tools: ["search_web", "read_page"] },
  { label: "libraries", tools: ["search_documents", "read_document"] },
  { label: "rightImages", tools: ["draw_picture", "edit_picture", "look_at_picture"] },
  { label: "Python", tools: ["run_python"] },
  { label: "calculating", tools: ["calculate", "calculate_dates"] },
  { label: "canvases", tools: ["open_canvas", "edit_canvas"] },
  { label: "skills", tools: ["read_skill", "run_skill_script"] },
  { label: "memory", tools: ["remember", "forget"] },
];

/** The tools of the MCP servers that the person sees; of none where they can't be listed. */
export async function loadServerTools(client: Client): Promise<readonly ServerTools[]> {
  try {
    const { servers } = await new McpServerCalls(client).list();
    return servers
      .map(({ name, on, approved, resources }) => ({
        name,
        on,
        tools: approved === null ? [] : [...approved.tools.map((tool) => tool.call_name), ...(resources ? [`${name}__resources`] : [])],
      }))
      .filter(({ tools }) => tools.length > 0);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // the other tools can be chosen all the same
    return [];
  }
}

/** How much of a group is among those tools. */
export function groupShare(tools: readonly string[], group: ToolGroup): "all" | "some" | "none" {
  const chosen = group.tools.filter((tool) => tools.includes(tool)).length;
  return chosen === group.tools.length ? "all" : chosen > 0 ? "some" : "none";
}

/** The tools once a group is chosen or not; those of no group stay as they are. */
export function withGroup(tools: readonly string[], group: ToolGroup, chosen: boolean): readonly string[] {
  const others = tools.filter((tool) => !group.tools.includes(tool));
  return chosen ? [...others, ...group.tools] : others;
}
