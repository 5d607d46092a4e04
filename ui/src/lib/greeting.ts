// A greeting for the time of day.

import { t } from "./i18n/translate.ts";

export function greeting(now: Date): string {
  const hour = now.getHours();
  if (hour >= 5 && hour < 12) return t("morning");
  return hour >= 12 && hour < 18 ? t("afternoon") : t("evening");
}
