// Plain choices of when a schedule is due, and the cron lines that stand for them.

export type Every = "day" | "weekdays" | "week" | "month" | "cron";

export interface Times {
  readonly every: Every;
  /** `07:00` */
  readonly at: string;
  /** 0 is Sunday. */
  readonly weekday: number;
  /** 1 to 28, or "L" for the last day. */
  readonly day: string;
  readonly cron: string;
}

const DEFAULTS: Times = { every: "weekdays", at: "07:00", weekday: 1, day: "1", cron: "0 7 * * 1-5" };

/** The line for the choices. */
export function toCron({ every, at, weekday, day, cron }: Times): string {
  const [hour = "7", minute = "0"] = at.split(":");
  const time = `${Number(minute)} ${Number(hour)}`;
  switch (every) {
    case "day":
      return `${time} * * *`;
    case "weekdays":
      return `${time} * * 1-5`;
    case "week":
      return `${time} * * ${weekday}`;
    case "month":
      return `${time} ${day} * *`;
    case "cron":
      return cron.trim();
  }
}

/** The choices that a line stands for; the line itself where none does. */
export function toTimes(cron: string | null): Times {
  if (cron === null) return DEFAULTS;
  const found = /^(\d{1,2}) (\d{1,2}) (\*|\d{1,2}|L) \* (\*|1-5|[0-6])$/.exec(cron);
  if (found === null) return { ...DEFAULTS, every: "cron", cron };
  const [, minute = "0", hour = "7", day = "*", weekday = "*"] = found;
  const at = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  const times = { ...DEFAULTS, at, cron };
  if (day === "*" && weekday === "*") return { ...times, every: "day" };
  if (day === "*" && weekday === "1-5") return { ...times, every: "weekdays" };
  if (day === "*") return { ...times, every: "week", weekday: Number(weekday) };
  if (weekday === "*" && (day === "L" || Number(day) <= 28)) return { ...times, every: "month", day };
  return { ...times, every: "cron" };
}

/** This browser's time zone. */
export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/** All time zones that this browser knows, with `own` among them. */
export function allZones(own: string): readonly string[] {
  const known = "supportedValuesOf" in Intl ? Intl.supportedValuesOf("timeZone") : [];
  return [...new Set([own, ...known, "UTC"])].sort();
}
