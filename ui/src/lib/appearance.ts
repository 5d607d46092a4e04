// How the page is dressed: attributes of <html>, from which the style sheets take the rest. They are kept ready
// in this browser, for `first.js` to put on before anything is painted.

import type { PreferenceValues } from "../api/preferences.ts";

export const APPEARANCE = "eclair.look";

export type Appearance = Readonly<Record<string, string>>;

/** `asks` tells whether a media query holds: what the system wants more of is given, whatever is chosen here. */
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
