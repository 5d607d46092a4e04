// Sentences that say what a call of a tool does and how it ended, in the person's language.

import type { Call, CallOutcome } from "../api/events.ts";
import { growingJson } from "./growingJson.ts";
import { t } from "./i18n/translate.ts";
import { skillName } from "./skillNames.ts";

const MAX_VALUE_CHARS = 160;

type Named = Pick<Call, "tool" | "summary"> & Partial<Pick<Call, "fault">>;

/** Says what a call does, from its tool and `input`, its arguments as JSON; else as the server says it, in English. Of
 * arguments that are `growing` it says so only once all that the sentence names has begun to come. */
export function callSummary(call: Named, input: string, growing = false): string {
  const given = parse(input);
  if (call.fault?.code === "unknown_tool" || call.fault?.code === "bad_arguments") return t("called", { name: call.tool });
  if (given === null) return call.summary;
  let isWhole = true;
  const sentence = sentenceOf(call, given, (value) => {
    const named = shown(value);
    if (named === "") isWhole = false;
    return named;
  });
  return growing && !isWhole ? call.summary : sentence;
}

/** `named` makes words of a value without which the sentence says nothing. */
function sentenceOf(call: Named, given: Readonly<Record<string, unknown>>, named: (value: unknown) => string): string {
  const text = (name: string) => named(given[name]);
  const skill = () => skillName(text("skill"), isOfPackagedSkill(call));
  switch (call.tool) {
    case "search_web":
      return t("callSearchWeb", { what: text("query") });
    case "search_documents":
      return t("callSearchFiles", { what: text("query") });
    case "read_page":
      return t("callRead", { what: text("url") });
    case "read_document":
      return given["page"] == null
        ? t("callRead", { what: text("file") })
        : t("callReadPage", { what: text("file"), page: text("page") });
    case "calculate":
      return t("callCalculate", { what: [text("expression"), shown(given["to"])].filter((part) => part !== "").join(" → ") });
    case "calculate_dates":
      return t("callDates", { what: [text("date"), shown(given["until"])].filter((part) => part !== "").join(" – ") });
    case "draw_picture":
      return t("callDraw", { what: text("prompt") });
    case "edit_picture":
      return t("callEditPicture", { what: text("prompt") });
    case "look_at_picture":
      return t("callLook", { what: text("question") });
    case "remember":
      return t("callRemember", { what: text("text") });
    case "forget":
      return t("callForget", { what: text("text") });
    case "run_python":
      return t("callPython");
    case "run_skill_script":
      return t("callScript", { what: text("script"), skill: skill() });
    case "read_skill":
      return given["file"] == null
        ? t("callSkill", { skill: skill() })
        : t("callSkillFile", { what: text("file"), skill: skill() });
    case "open_canvas":
      return t("callOpenCanvas", { what: text("title") });
    case "edit_canvas": {
      const what = named(/“(.*)”$/su.exec(call.summary)?.[1]); // the arguments have its id alone
      const { changes } = given;
      return t(Array.isArray(changes) && changes.length > 0 ? "callEditCanvas" : "callReadCanvas", { what });
    }
    default:
      return summaryOfServer(call, given);
  }
}

/** The server says in its sentence of which skills it knows that they come with Éclair; others may have their names. */
function isOfPackagedSkill({ summary }: Named): boolean {
  return /\bthe packaged skill \S+$/u.test(summary);
}

/** Says how a call ended in a word or two; null for one that is done or under way, and for `unknown`, which UnknownCall says. */
export function callOutcome(outcome: CallOutcome | null): string | null {
  switch (outcome) {
    case "failed":
      return t("outcomeFailed");
    case "late":
      return t("outcomeLate");
    case "declined":
      return t("callDeclined");
    case "stopped":
      return t("callStopped");
    case "done":
    case "unknown":
    case null:
      return null;
  }
}

/** Says what a call of a tool of an MCP server does: such a tool is called `server__tool`. */
function summaryOfServer(call: Named, given: Readonly<Record<string, unknown>>): string {
  const at = call.tool.indexOf("__");
  if (at < 1 || !/^(Use “|List |Read )/u.test(call.summary)) return call.summary; // it isn't there, or switched off
  const server = call.tool.slice(0, at);
  const tool = call.tool.slice(at + 2);
  if (tool === "resources") {
    const what = shown(given["uri"]);
    return what === "" ? t("callMcpList", { server }) : t("callMcpRead", { what, server });
  }
  const values = Object.entries(given).map(([name, value]) => `${name}: ${shown(value)}`);
  return [t("callMcp", { what: tool, server }), ...(values.length > 0 ? [values.join(", ")] : [])].join(" · ");
}

/** The arguments by their names, as far as they have come; null for none. */
function parse(input: string): Readonly<Record<string, unknown>> | null {
  const found = growingJson(input);
  if (typeof found !== "object" || found === null || Array.isArray(found)) return null;
  return Object.keys(found).length > 0 || /\}\s*$/.test(input) ? (found as Record<string, unknown>) : null;
}

/** A value on one line, cut where it is long. */
function shown(value: unknown): string {
  if (value == null) return "";
  const text = (typeof value === "string" ? value : JSON.stringify(value)).trim().replace(/\s+/gu, " ");
  return text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS).trimEnd()}…` : text;
}
