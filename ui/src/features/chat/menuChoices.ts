// The entries of an answer's menu.

import type { Message } from "../../api/events.ts";
import type { Choice } from "../../components/Menu.svelte";
import { answerMarkdown } from "../../lib/answer.ts";
import { copyToClipboard } from "../../lib/clipboard.ts";
import { t, withEllipsis } from "../../lib/i18n/translate.ts";

const MAX_LISTED_MODELS = 3;

export function copyChoices(message: Message): readonly Choice[] {
  return [
    { label: t("copyMarkdown"), run: () => void copyToClipboard(answerMarkdown(message)) },
    { label: t("copyPlain"), run: () => void copyAs(message, "plain") },
    { label: t("copyRich"), run: () => void copyAs(message, "rich") },
  ];
}

/** Answer again with another model, by id and name; of many, one is picked. */
export function retryChoices(
  { model }: Message,
  models: readonly (readonly [id: string, name: string])[],
  busy: boolean,
  retry: (model: string) => void,
  pick?: () => void,
): readonly Choice[] {
  if (busy) return [];
  if (pick !== undefined && models.length > MAX_LISTED_MODELS) return [{ label: withEllipsis(t("retryOther")), run: pick }];
  return models.filter(([id]) => id !== model).map(([id, name]) => ({ label: t("retryWith", { model: name }), run: () => retry(id) }));
}

async function copyAs(message: Message, form: "plain" | "rich"): Promise<void> {
  const { plainText, richText } = await import("../../lib/markdown/plainText.ts");
  const text = answerMarkdown(message);
  await (form === "plain" ? copyToClipboard(plainText(text)) : copyToClipboard(plainText(text), richText(text)));
}
