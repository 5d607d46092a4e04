import "./styles/tokens.css";
import "./styles/base.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { App as State } from "./state/app.svelte.ts";

const target = document.getElementById("app");
const shared = /^\/s\/([\w-]+)$/.exec(location.pathname)?.[1];
if (target !== null && shared !== undefined) {
  const { default: Shared } = await import("./pages/Shared.svelte");
  mount(Shared, { target, props: { id: shared } });
} else if (target !== null) {
  const app = new State();
  await app.preferences.begin();
  mount(App, { target, props: { app } });
  app.start();
}
