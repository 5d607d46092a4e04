import "./styles/tokens.css";
import "./styles/base.css";
import { mount } from "svelte";
import { currentPath } from "./api/address.ts";
import { Api } from "./api/api.ts";
import App from "./App.svelte";
import { App as State } from "./state/app.svelte.ts";
import { Preferences } from "./state/preferences.svelte.ts";
import { explain } from "./lib/errors.ts";

/** Not awaited at the top level: the modules that it loads import this one, and each would wait for the other. */
async function begin(target: HTMLElement): Promise<void> {
  const shared = /^\/s\/([\w-]+)$/.exec(currentPath())?.[1];
  if (shared !== undefined) {
    await new Preferences(new Api({ key: null, askKey: async () => null, explain })).begin();
    const { default: Shared } = await import("./features/shared/SharedPage.svelte");
    mount(Shared, { target, props: { id: shared } });
    return;
  }
  if (currentPath() === "/made") {
    await new Preferences(new Api({ key: null, askKey: async () => null, explain })).begin();
    const { default: Made } = await import("./features/provenance/ProvenancePage.svelte");
    mount(Made, { target });
    return;
  }
  if (currentPath().startsWith("/c/")) void loadTurns();
  const app = new State();
  await app.preferences.begin();
  if (document.documentElement.dataset["accounts"] === "on") {
    const { enter } = await import("./features/sign-in/enter.ts");
    await enter(app, target);
  }
  mount(App, { target, props: { app } });
  app.start();
  whenIdle(() => void loadTurns());
}

/** Load what shows a conversation: at once where one is opened, and else before it is needed or the server goes away. */
async function loadTurns(): Promise<void> {
  await import("./features/chat/Turns.svelte").catch(() => null); // whoever opens a conversation is told
}

/** Run something once the page has nothing else to do; Safari doesn't say when that is. */
function whenIdle(run: () => void): void {
  if ("requestIdleCallback" in window) requestIdleCallback(run, { timeout: 2000 });
  else setTimeout(run, 500);
}

const target = document.getElementById("app");
if (target !== null) void begin(target);
