// Actions on images: switch the composer to images, edit one, or show its conversation.

import type { GeneratedImage } from "../api/images.ts";
import { t } from "../lib/i18n/translate.ts";
import type { App } from "./app.svelte.ts";

/** Switch the next message between images and text. */
export function switchDrawing({ current, imageModels: pictures }: App): void {
  current.setImageOptions(current.imageOptions === null ? pictures.last : null);
}

/** Edit an image in its conversation, or in a new one. */
export function editPicture(app: App, picture: GeneratedImage): void {
  const drawing = app.imageModels.editOptions(picture.id, picture.model);
  if (drawing === null) return;
  if (picture.conversation !== null) app.open(picture.conversation);
  else if (app.page !== "chat") app.begin();
  app.current.setImageOptions(drawing);
  toComposer();
}

/** Show the conversation in which an image was made. */
export function toConversation(app: App, { conversation }: GeneratedImage): void {
  if (conversation !== null) app.open(conversation);
}

/** Focus the message field, once the page shows it. */
export function toComposer(): void {
  requestAnimationFrame(() => document.getElementById("composer")?.focus());
}

/** Why no images can be made here; null where they can, or where that is unknown and the server will say so. */
export function whyNoImages({ current, imageModels: pictures }: App): string | null {
  if (current.temporary) return t("drawTemporary");
  if (pictures.ready.length > 0 || !pictures.known) return null;
  return t("useImageNot");
}
