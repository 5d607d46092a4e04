// Calls of `open_canvas` and `edit_canvas`: what the model writes and changes, out of arguments that may be growing.

import type { Message, Part } from "../../api/events.ts";
import { isBeingWritten } from "../answer.ts";
import { growingJson } from "../growingJson.ts";
import { t } from "../i18n/translate.ts";
import { difference } from "./patches.ts";

/** Words that are replaced, and what takes their place: null until that has begun to come. */
export interface CanvasChange {
  readonly old: string;
  readonly new: string | null;
}

export interface CanvasCall {
  /** The id of the canvas that is changed. */
  readonly canvas: string;
  readonly title: string;
  /** The text of a new canvas; null until it has begun to come. */
  readonly text: string | null;
  readonly changes: readonly CanvasChange[];
}

/** A change as words: what stays before it, what goes, what comes, what stays after it. */
export interface WordChange {
  readonly before: string;
  readonly gone: string;
  readonly put: string;
  readonly after: string;
}

const NO_FIELDS: Readonly<Record<string, unknown>> = {};

export function isCanvasTool(tool: string | null): boolean {
  return tool === "open_canvas" || tool === "edit_canvas";
}

export function canvasCall(input: string): CanvasCall {
  const given = fields(growingJson(input));
  const changes = Array.isArray(given["changes"]) ? (given["changes"] as readonly unknown[]) : [];
  return {
    canvas: textOf(given["canvas"]) ?? "",
    title: textOf(given["title"]) ?? "",
    text: textOf(given["text"]),
    changes: changes.map(fields).map((change) => ({ old: textOf(change["old"]) ?? "", new: textOf(change["new"]) })),
  };
}

/** Says what a call does whose arguments are still coming; empty while there is nothing to say. */
export function growingCanvasSummary({ name, text }: Pick<Part, "name" | "text">): string {
  const { title, text: written, changes } = canvasCall(text);
  if (name === "edit_canvas") return changes.length > 0 ? t("canvasChanging") : "";
  return written === null ? "" : t("callOpenCanvas", { what: title }); // the title has all come
}

/** Says what a call would have done whose arguments never came whole. */
export function stoppedCanvasSummary({ name, text }: Pick<Part, "name" | "text">): string {
  const { title } = canvasCall(text);
  return name === "open_canvas" && title !== "" ? t("callOpenCanvas", { what: title }) : t("canvas");
}

/** The change, with whole words marked. */
export function wordChange(old: string, put: string): WordChange {
  const { from, to, insert } = difference(old, put);
  let [start, end] = [from, to];
  while (start > 0 && /\S/.test(old[start - 1] ?? "")) start--;
  while (end < old.length && /\S/.test(old[end] ?? "")) end++;
  return { before: old.slice(0, start), gone: old.slice(start, end), put: old.slice(start, from) + insert + old.slice(to, end), after: old.slice(end) };
}

/** The text with the changes made that have come, as the server makes them; null where it will refuse them. */
export function applyChanges(text: string, changes: readonly CanvasChange[]): string | null {
  let after = text;
  for (const { old, new: put } of changes) {
    if (put === null) return after;
    const at = after.indexOf(old);
    if (old === "" || at < 0 || after.includes(old, at + old.length)) return null;
    after = after.slice(0, at) + put + after.slice(at + old.length);
  }
  return after;
}

/** The changes to a canvas that an answer is writing, is making, or has made in a version after `current`; none that wait
 * for a permission. */
export function pendingChanges(answer: Pick<Message, "parts" | "calls" | "status"> | null, canvas: string, current: number): readonly CanvasChange[] {
  if (answer === null || answer.status !== "running") return [];
  return answer.parts.flatMap((part, i) => {
    if (part.kind !== "tool_call" || part.name !== "edit_canvas") return [];
    const made = answer.calls.find(({ call }) => call === part.id);
    if (made === undefined ? !isBeingWritten(answer, i) : made.needs_approval && made.decision === null) return [];
    const outcome = made?.outcome ?? null;
    const result = answer.parts.find(({ kind, id }) => kind === "tool_result" && id === part.id)?.text ?? "";
    const version = /it is version (\d+) now/.exec(result)?.[1];
    if (outcome !== null && !(outcome === "done" && Number(version) > current)) return [];
    const call = canvasCall(part.text);
    return call.canvas === canvas ? call.changes : [];
  });
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : NO_FIELDS;
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
