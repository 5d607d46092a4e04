import "./styles/tokens.css";
import "./styles/base.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { App as State } from "./state/app.svelte.ts";

const app = new State();
await app.preferences.begin();
const target = document.getElementById("app");
if (target !== null) mount(App, { target, props: { app } });
app.start();
