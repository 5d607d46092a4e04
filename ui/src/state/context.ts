// The app, for the components below App.svelte.

import { createContext } from "svelte";
import type { App } from "./app.svelte.ts";

export const [getApp, setApp] = createContext<App>();
