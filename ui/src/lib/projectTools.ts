// The tools that a project may offer, by what they do.

import type { PlainKey } from "./i18n/translate.ts";

export interface ToolGroup {
  readonly label: PlainKey;
  readonly tools: readonly string[];
}

export const TOOL_GROUPS: readonly ToolGroup[] = [
  { label: "webSearch", tools: ["search_web", "read_page"] },
  { label: "libraries", tools: ["search_documents", "read_document"] },
  { label: "rightImages", tools: ["draw_picture", "edit_picture", "look_at_picture"] },
  { label: "calculating", tools: ["run_python", "calculate", "calculate_dates"] },
  { label: "canvases", tools: ["open_canvas", "edit_canvas"] },
  { label: "skills", tools: ["read_skill", "run_skill_script"] },
  { label: "memory", tools: ["remember", "forget"] },
];

/** The tools once a group is chosen or not; those of no group stay as they are. */
export function withGroup(tools: readonly string[], group: ToolGroup, chosen: boolean): readonly string[] {
  const others = tools.filter((tool) => !group.tools.includes(tool));
  return chosen ? [...others, ...group.tools] : others;
}
