// The appearance of the page: attributes of <html> that the style sheets use. They are stored in this browser, so that
// `first.js` can apply them before the first paint.

import type { PreferenceValues } from "../api/preferences.ts";

export const APPEARANCE = "eclair.look";

export type Appearance = Readonly<Record<string, string>>;

/** `asks` evaluates a media query: what the system requests wins over the choice made here. */
export function appearanceOf(choices: PreferenceValues, language: string, asks: (question: string) => boolean): Appearance {
  const contrast = choices.contrast === "more" || asks("(prefers-contrast: more)");
  const still = choices.motion === "less" || asks("(prefers-reduced-motion: reduce)");
  return {
    lang: language,
    dir: "ltr",
    "data-theme": choices.theme,
    "data-contrast": contrast ? "more" : "normal",
    "data-motion": still ? "less" : "normal",
    "data-text": String(choices.text_size),
  };
}
