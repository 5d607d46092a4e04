import type { Model } from "../api/models.ts";
import { type PlainKey, t } from "./i18n/translate.ts";

const WAYS: Readonly<Record<NonNullable<Model["call_way"]>, PlainKey>> = {
  native: "callsNative",
  text: "callsText",
  forced: "callsForced",
  none: "callsNone",
};

/** How a model calls tools, as far as that is known. */
export function callSkill(model: Model | undefined): string {
  if (model?.call_way == null) return "";
  return t(model.calls_well ? "callsWell" : WAYS[model.call_way]);
}
