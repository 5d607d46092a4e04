// What is typed for an MCP server, as fields: an address or a command in one line, names with values, and folders.

import type { McpListing, McpServer, McpServerFields, McpTool } from "../api/mcpServers.ts";

/** The words of a command; quotes keep spaces together. */
export function commandWords(line: string): string[] {
  const words = line.match(/"[^"]*"|'[^']*'|[^\s"']+/g) ?? [];
  return words.map((word) => (/^["']/.test(word) ? word.slice(1, -1) : word));
}

/** A command as a line that `commandWords` reads. */
export function commandLine(words: readonly string[]): string {
  return words.map((word) => (/[\s"']/.test(word) || word === "" ? (word.includes('"') ? `'${word}'` : `"${word}"`) : word)).join(" ");
}

export function isAddress(target: string): boolean {
  return /^https?:\/\//i.test(target.trim());
}

/** The fields that were typed. Secrets are variables of a command, or headers for an address. */
export function typedFields(target: string, secrets: string, folders: string, network: boolean): McpServerFields {
  const values: Record<string, string> = {};
  for (const line of lines(secrets)) {
    const at = line.indexOf("=");
    values[at < 0 ? line : line.slice(0, at).trim()] = at < 0 ? "" : line.slice(at + 1);
  }
  if (isAddress(target)) return { url: target.trim(), headers: values };
  return { command: commandWords(target), variables: values, folders: lines(folders), network };
}

export type ToolChange = "new" | "changed" | "gone" | "same";

export interface ShownTool {
  readonly tool: McpTool;
  readonly change: ToolChange;
  /** Its description when it was allowed, if that was another. */
  readonly before: string;
}

/** The tools of a server, each with how it differs from what was allowed. */
export function shownTools({ approved, seen }: Pick<McpServer, "approved" | "seen">): readonly ShownTool[] {
  const now = seen ?? approved;
  if (now === null) return [];
  const before = new Map((approved ?? now).tools.map((tool) => [tool.name, tool]));
  const found = now.tools.map((tool): ShownTool => {
    const known = before.get(tool.name);
    if (known === undefined) return { tool, change: "new", before: "" };
    const same = JSON.stringify(known) === JSON.stringify(tool);
    return { tool, change: same ? "same" : "changed", before: known.description === tool.description ? "" : known.description };
  });
  const names = new Set(now.tools.map(({ name }) => name));
  return [...found, ...gone(approved, names)];
}

function gone(approved: McpListing | null, names: ReadonlySet<string>): ShownTool[] {
  const missing = approved?.tools.filter(({ name }) => !names.has(name)) ?? [];
  return missing.map((tool) => ({ tool, change: "gone", before: "" }));
}

function lines(text: string): string[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}
