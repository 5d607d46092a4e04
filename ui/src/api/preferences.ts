// What a person prefers, which the server keeps so that it is the same on every device.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** Preferences with the version that they have on the server. */
export type StoredPreferences = Reply<"/api/preferences", "get">;

/** `language` is null where the browser's holds, `model` where the server chooses; `shortcuts` are keys by action. */
export type PreferenceValues = Omit<StoredPreferences, "version">;

export type SavedPrompt = PreferenceValues["prompts"][number];

export class PreferenceCalls extends Resource {
  get(): Promise<StoredPreferences> {
    return this.client.call("GET", "/api/preferences");
  }

  /** Replace all of them; fails with 409 when another device has changed them since this version. */
  put(preferences: StoredPreferences): Promise<StoredPreferences> {
    return this.client.call("PUT", "/api/preferences", preferences);
  }
}
