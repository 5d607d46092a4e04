// What a person does to have pictures: switch the composer to them, edit one, vary it, enlarge it.

import type { GeneratedImage } from "../api/images.ts";
import { t } from "../lib/i18n/translate.ts";
import type { App } from "./app.svelte.ts";

/** Have pictures drawn of the next message, or words again. */
export function switchDrawing({ current, imageModels: pictures }: App): void {
  current.setImageOptions(current.imageOptions === null ? pictures.last : null);
}

/** Have a picture edited: in the conversation that it belongs to, or in a new one. */
export function editPicture(app: App, picture: GeneratedImage): void {
  const drawing = app.imageModels.editOptions(picture.id, picture.model);
  if (drawing === null) return;
  if (picture.conversation !== null) app.open(picture.conversation);
  else if (app.page !== "chat") app.begin();
  app.current.setImageOptions(drawing);
  toComposer();
}

/** Show where a picture was made. */
export function toConversation(app: App, { conversation }: GeneratedImage): void {
  if (conversation !== null) app.open(conversation);
}

/** Into the text field, once the page shows it. */
export function toComposer(): void {
  requestAnimationFrame(() => document.getElementById("composer")?.focus());
}

/** Why pictures cannot be had here; null where they can, or where that is not known yet: the server then says so. */
export function whyNoImages({ current, imageModels: pictures }: App): string | null {
  if (current.temporary) return t("drawTemporary");
  if (pictures.ready.length > 0 || !pictures.known) return null;
  return t("useImageNot");
}
