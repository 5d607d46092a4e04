// Rights in words: what they are to, for whom they are, and why they are so.

import type { EffectiveRight } from "../api/rights.ts";
import { type PlainKey, t } from "./i18n/translate.ts";
import { ROLE_LABELS } from "./people.ts";
import type { Role } from "../api/session.ts";

/** The objects that have no id. */
export const THINGS: Readonly<Record<string, PlainKey>> = {
  web: "webSearch",
  images: "rightImages",
  share: "rightShare",
  keys: "rightKeys",
  uploads: "rightUploads",
  mcp: "mcpServers",
};

/** Objects with an id, by their kind. */
export const KINDS: Readonly<Record<string, PlainKey>> = {
  model: "model",
  engine: "modelServer",
  library: "library",
  project: "project",
  prompt: "prompt",
  assistant: "assistantKind",
};

/** What a right is to, such as `Model: Mistral Small`. */
export function objectName(object: string, name = object.slice(object.indexOf(":") + 1)): string {
  const thing = THINGS[object];
  if (thing !== undefined) return t(thing);
  const kind = KINDS[object.split(":")[0] ?? ""];
  const shown = name === "*" ? t("any") : name;
  return kind === undefined ? object : `${t(kind)}: ${shown}`;
}

/** For whom a right or a share is. */
export function subjectName(subject: string, name: string): string {
  if (subject === "everyone") return t("everyone");
  const role = subject.startsWith("role:") ? ROLE_LABELS[subject.slice(5) as Role] : undefined;
  return role === undefined ? name : t(role);
}

/** Why a person may use something, or not. */
export function reasonText({ reason, subject, subject_name }: EffectiveRight): string {
  const name = subject === null ? "" : subjectName(subject, subject_name ?? subject);
  switch (reason) {
    case "open":
      return t("reasonOpen");
    case "guest":
      return t("reasonGuest");
    case "allowed":
      return t("reasonAllowed", { name });
    case "denied":
      return t("reasonDenied", { name });
    case "restricted":
      return t("reasonRestricted", { name });
  }
}
