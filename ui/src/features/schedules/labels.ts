// Sentences about schedules.

import type { Occurrence, Schedule } from "../../api/schedules.ts";
import { type PlainKey, t } from "../../lib/i18n/translate.ts";
import { formatMoment } from "../../lib/people.ts";

const STATUS_LABELS: Readonly<Record<Occurrence["status"], PlainKey>> = {
  due: "scheduleDue",
  running: "scheduleRunning",
  waiting: "scheduleWaiting",
  done: "scheduleDone",
  failed: "outcomeFailed",
  stopped: "callStopped",
  skipped: "scheduleSkipped",
};

const REASON_LABELS: Readonly<Record<NonNullable<Schedule["reason"]>, PlainKey>> = {
  failures: "schedulePausedFailures",
  account: "schedulePausedAccount",
  cron: "schedulePausedCron",
};

/** When a schedule was due last, and what became of that. */
export function lastTime({ due, status, is_missed }: Occurrence): string {
  const parts = [t("scheduleLast", { time: formatMoment(due) }), t(STATUS_LABELS[status])];
  return [...parts, ...(is_missed ? [t("scheduleMissed")] : [])].join(" · ");
}

/** Why a schedule is paused; empty if it isn't. */
export function pauseReason({ state, reason }: Schedule): string {
  return state === "paused" && reason !== null ? t(REASON_LABELS[reason]) : "";
}
