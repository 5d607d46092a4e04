// A person's preferences, stored on the server so that they are the same on every device.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

type PreferencesReply = Reply<"/api/preferences", "get">;

/** Preferences with their version on the server. */
export type StoredPreferences = Omit<PreferencesReply, "prompts" | "temporary_only">;

/** `language` is null where the browser decides, `model` where the server does; `shortcuts` are keys by action. */
export type PreferenceValues = Omit<StoredPreferences, "version">;

export class PreferenceCalls extends Resource {
  get(): Promise<PreferencesReply> {
    return this.client.call("GET", "/api/preferences");
  }

  /** Replace the preferences; fails with 409 when another device has changed them since this version. */
  put(preferences: StoredPreferences): Promise<StoredPreferences> {
    return this.client.call("PUT", "/api/preferences", preferences);
  }
}
