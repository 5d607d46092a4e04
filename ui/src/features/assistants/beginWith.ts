// Begins a chat with an assistant.

import type { Assistant } from "../../api/assistants.ts";
import type { App } from "../../state/app.svelte.ts";

/** Begin a chat that has the assistant's model and web mode, as far as it has any. */
export function beginWith(app: App, { id, model, web }: Assistant): void {
  app.begin();
  app.current.assistant = id;
  void app.current.changeSettings({ ...(model !== null && { model }), ...(web !== null && { web }) });
  document.getElementById("composer")?.focus();
}
