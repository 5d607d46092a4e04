// The values of a form that a server asks a person to fill in, as they are typed and as they are sent.

import type { SentValue } from "../api/callDecisions.ts";
import type { Elicitation, ElicitationField } from "../api/events.ts";

export type TypedValue = string | boolean | string[];

/** The values that a form begins with. */
export function defaults(fields: readonly ElicitationField[]): Record<string, TypedValue> {
  return Object.fromEntries(fields.map((field) => [field.name, initial(field)]));
}

function initial({ kind, format, default: given }: ElicitationField): TypedValue {
  if (kind === "boolean") return given[0] === "true";
  if (kind === "choices") return [...given];
  const text = given[0] ?? "";
  return format === "date-time" && text !== "" ? localMoment(text) : text;
}

/** The values to send; fields that were left empty are left out. */
export function filledIn(fields: readonly ElicitationField[], values: Readonly<Record<string, TypedValue>>): Record<string, SentValue> {
  const sent: Record<string, SentValue> = {};
  for (const field of fields) {
    const value = values[field.name];
    if (value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0 && !field.is_required)) continue;
    sent[field.name] = convert(field, value);
  }
  return sent;
}

function convert({ kind, format }: ElicitationField, value: TypedValue): SentValue {
  if (kind === "number" || kind === "integer") return Number(value);
  if (format === "date-time" && typeof value === "string") return new Date(value).toISOString();
  return value;
}

/** A moment in the form that a field for date and time takes. */
function localMoment(text: string): string {
  const moment = new Date(text);
  if (Number.isNaN(moment.getTime())) return "";
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The kind of input for a field. */
export function inputType({ kind, format }: ElicitationField): string {
  if (kind === "number" || kind === "integer") return "number";
  switch (format) {
    case "email":
      return "email";
    case "uri":
      return "url";
    case "date":
      return "date";
    case "date-time":
      return "datetime-local";
    default:
      return "text";
  }
}

/** The host that a question sends to, as an address bar shows it; the scheme is checked here again. */
export function visitedHost({ url }: Elicitation): string | null {
  if (url === null || !URL.canParse(url)) return null;
  const { protocol, host } = new URL(url);
  return protocol === "https:" || protocol === "http:" ? host : null;
}
