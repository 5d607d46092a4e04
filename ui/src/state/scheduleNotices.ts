// Says that a schedule has an answer, has failed, or waits: in the page, and by a notification of the system.

import type { Api } from "../api/api.ts";
import { ScheduleCalls } from "../api/schedules.ts";
import { t } from "../lib/i18n/translate.ts";
import type { AnswerNotifications } from "./answerNotifications.svelte.ts";
import type { Toasts } from "./toasts.svelte.ts";

/** The page, as far as it tells of schedules. */
export interface NoticeHost {
  readonly api: Api;
  readonly toasts: Toasts;
  readonly notifications: AnswerNotifications;
  readonly current: { readonly id: string };
  open(conversation: string): void;
}

const told = new Set<string>();

/** Tell of what became of the schedule whose last answer is in a conversation. */
export async function tellOf(app: NoticeHost, conversation: string): Promise<void> {
  const { schedules } = await new ScheduleCalls(app.api.client).list();
  const found = schedules.find(({ last }) => last?.conversation === conversation);
  const last = found?.last ?? null;
  if (found === undefined || last === null || told.has(`${last.id} ${last.status}`)) return;
  told.add(`${last.id} ${last.status}`);
  const texts = { done: "scheduleReady", failed: "scheduleHasFailed", waiting: "scheduleNeedsYou" } as const;
  const { status } = last;
  if (status !== "done" && status !== "failed" && status !== "waiting") return;
  const text = t(texts[status], { name: found.name });
  if (app.current.id !== conversation) app.toasts.show(text);
  app.notifications.show(found.name, text, last.id, () => app.open(conversation));
}
