// The tools that an assistant may be given, in groups that people know.

import { type PlainKey, t } from "../../lib/i18n/translate.ts";

interface ToolGroup {
  readonly label: PlainKey | "Python";
  readonly names: readonly string[];
}

export const TOOL_GROUPS: readonly ToolGroup[] = [
  { label: "Python", names: ["run_python"] },
  { label: "pictures", names: ["draw_picture", "edit_picture", "look_at_picture"] },
  { label: "canvases", names: ["open_canvas", "edit_canvas"] },
  { label: "webSearch", names: ["search_web", "read_page"] },
  { label: "libraries", names: ["search_documents", "read_document"] },
  { label: "skills", names: ["read_skill", "run_skill_script"] },
  { label: "memory", names: ["remember", "forget"] },
  { label: "assistantCalculate", names: ["calculate"] },
];

export function groupLabel({ label }: ToolGroup): string {
  return label === "Python" ? label : t(label);
}

/** True where all tools of a group are among those. */
export function hasGroup(tools: readonly string[], { names }: ToolGroup): boolean {
  return names.every((name) => tools.includes(name));
}

/** The tools with a group added or taken away. */
export function withGroup(tools: readonly string[], { names }: ToolGroup, included: boolean): readonly string[] {
  const others = tools.filter((name) => !names.includes(name));
  return included ? [...others, ...names] : others;
}
