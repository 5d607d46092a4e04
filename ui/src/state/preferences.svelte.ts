// A person's preferences: stored on the server, so that they are the same on every device, and mirrored in this
// browser, so that the first paint is right and a change made offline isn't lost.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import { chooseLanguage, loadLanguage } from "../lib/i18n/load.ts";
import { t } from "../lib/i18n/translate.ts";
import { readStored, writeStored } from "../lib/storage.ts";
import { type Appearance, APPEARANCE, appearanceOf } from "../lib/appearance.ts";
import type { PreferenceValues, StoredPreferences } from "../api/preferences.ts";
import type { SpokenLanguages } from "../api/speech.ts";

const MIRROR = "eclair.preferences";
const SAVE_DELAY_MS = 400;
const MAX_LIKELY_LANGUAGES = 10;

/** How fast answers can be read aloud; 1 is as fast as a person reads. */
export const SPEECH_SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2] as const;

const DEFAULTS: StoredPreferences = {
  version: 0,
  language: null,
  theme: "system",
  contrast: "normal",
  text_size: 1,
  motion: "system",
  send_key: "enter",
  model: null,
  pinned_models: [],
  instructions: "",
  draws: true,
  follow_ups: false,
  show_presence: true,
  memory: true,
  read_aloud: false,
  speech_speed: 1,
  speech_voices: [],
  speech_language: null,
  voice_cues: true,
  shortcuts: {},
};

interface Mirror {
  readonly kept: StoredPreferences;
  readonly unsent: Partial<PreferenceValues>;
}

export class Preferences {
  #kept = $state.raw<StoredPreferences>(DEFAULTS);
  #unsent = $state.raw<Partial<PreferenceValues>>({});
  /** The progress of the last change; null before there was one. */
  progress = $state<"saving" | "saved" | "waiting" | null>(null);
  problem = $state<string | null>(null);
  /** Only temporary chats are allowed. */
  temporaryOnly = $state(false);

  readonly now: PreferenceValues = $derived({ ...this.#kept, ...this.#unsent });
  readonly language = $derived(chooseLanguage(this.now.language, navigator.languages));
  /** The language to recognize speech in, if one is chosen, and the likely ones: those of the page and the browser. */
  readonly spokenLanguages: SpokenLanguages = $derived({
    chosen: this.now.speech_language ?? "",
    likely: [...new Set([this.language, ...navigator.languages].map((tag) => tag.replace(/-.*/, "").toLowerCase()))].slice(0, MAX_LIKELY_LANGUAGES),
  });

  readonly #api: Api;
  readonly #connect: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending = false;

  /** `connect` restarts the stream of changes: the server asks at its start whether it shows that the person is here. */
  constructor(api: Api, connect: () => void = () => {}) {
    this.#api = api;
    this.#connect = connect;
    this.#readMirror();
  }

  /** Apply the appearance and the language; the page is mounted after this. */
  async begin(): Promise<void> {
    await this.#apply();
    addEventListener("storage", (event) => {
      if (event.key !== MIRROR) return;
      const shown = this.#kept.show_presence;
      this.#readMirror();
      if (this.#kept.show_presence !== shown) this.#connect();
      void this.#apply();
    });
    addEventListener("online", () => void this.refresh());
    for (const question of ["(prefers-contrast: more)", "(prefers-reduced-motion: reduce)"]) {
      matchMedia(question).addEventListener("change", () => this.#applyAppearance());
    }
  }

  /** Read the server's preferences, and send the changes that it doesn't have. */
  async refresh(): Promise<void> {
    if (this.#sending) return;
    try {
      const found = await this.#api.preferences.get();
      this.temporaryOnly = found.temporary_only;
      this.#settle(found);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return;
    }
    await this.#apply();
    if (Object.keys(this.#unsent).length > 0) await this.#send();
  }

  /** Apply a change at once, and send it once the typing pauses. */
  change(change: Partial<PreferenceValues>): void {
    this.#unsent = { ...this.#unsent, ...change };
    this.problem = null;
    this.progress = "saving";
    this.#mirror();
    void this.#apply();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#send(), SAVE_DELAY_MS);
  }

  /** Switch between dark and light, whatever the system's theme. */
  switchTheme(): void {
    const { theme } = this.now;
    const dark = theme === "system" ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
    this.change({ theme: dark ? "light" : "dark" });
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (Object.keys(this.#unsent).length > 0) {
        const sent = this.#unsent;
        const kept = await this.#put(sent);
        this.#unsent = without(this.#unsent, sent);
        this.#settle(kept);
      }
      this.progress = "saved";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#handleRejection(error);
    } finally {
      this.#sending = false;
    }
  }

  /** Another device may have changed something else meanwhile: then apply this change on top. */
  async #put(sent: Partial<PreferenceValues>): Promise<StoredPreferences> {
    for (;;) {
      try {
        return await this.#api.preferences.put({ ...this.#kept, ...sent });
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 409)) throw error;
        this.#settle(await this.#api.preferences.get());
      }
    }
  }

  #handleRejection(error: ApiError): void {
    if (error.status >= 400 && error.status < 500 && error.status !== 401) {
      this.#unsent = {}; // the server will never accept it
      this.problem = error.message;
      this.progress = null;
      this.#mirror();
      void this.#apply();
    } else this.progress = "waiting";
  }

  #settle(kept: StoredPreferences): void {
    const shown = this.#kept.show_presence;
    this.#kept = known(kept);
    this.#mirror();
    if (this.#kept.show_presence !== shown) this.#connect();
  }

  #mirror(): void {
    writeStored(MIRROR, JSON.stringify({ kept: this.#kept, unsent: this.#unsent } satisfies Mirror));
  }

  #readMirror(): void {
    const mirror = readStored(MIRROR);
    if (mirror === null) return;
    try {
      const { kept, unsent } = JSON.parse(mirror) as Mirror;
      this.#kept = { ...DEFAULTS, ...known(kept) };
      this.#unsent = known(unsent);
    } catch {
      writeStored(MIRROR, null);
    }
  }

  async #apply(): Promise<void> {
    this.#applyAppearance();
    if (!(await loadLanguage(this.language))) this.problem = t("languageMissing");
  }

  #applyAppearance(): void {
    const appearance: Appearance = appearanceOf(this.now, this.language, (question) => matchMedia(question).matches);
    for (const [name, value] of Object.entries(appearance)) document.documentElement.setAttribute(name, value);
    writeStored(APPEARANCE, JSON.stringify(appearance));
  }
}

/** What of it is a preference here; an earlier or later version may have had more. */
function known<T extends Partial<StoredPreferences>>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([name]) => name in DEFAULTS)) as T;
}

/** The changes that remain after `sent` was sent. */
function without(unsent: Partial<PreferenceValues>, sent: Partial<PreferenceValues>): Partial<PreferenceValues> {
  const rest = Object.entries(unsent).filter(([name, value]) => sent[name as keyof PreferenceValues] !== value);
  return Object.fromEntries(rest);
}
