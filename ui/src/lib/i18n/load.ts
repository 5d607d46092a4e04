// Loads the page's language. English is built in; every other language is a file, loaded when needed.

import { firstAvailable, LANGUAGES } from "./languages.ts";
import { currentLanguage, englishTexts, setLanguage, type Translation } from "./translate.ts";

const files = import.meta.glob<Translation>(["./??.json", "!./en.json"], { import: "default" });

/** The codes of the available languages, sorted by their own names. */
export const availableLanguages: readonly string[] = Object.keys(LANGUAGES).filter((code) => code === "en" || fileOf(code) in files);

/** The chosen language, or else the browser's first available one. */
export function chooseLanguage(language: string | null, browser: readonly string[]): string {
  return firstAvailable(language === null ? browser : [language, ...browser], availableLanguages);
}

let requested = "en";

/** Switch to a language; false where its file can't be loaded, and the old language stays. */
export async function loadLanguage(language: string): Promise<boolean> {
  requested = language;
  if (language === currentLanguage()) return true;
  const texts = await loadTexts(language);
  if (texts !== null && requested === language) setLanguage(language, texts);
  return texts !== null;
}

async function loadTexts(language: string): Promise<Translation | null> {
  const file = files[fileOf(language)];
  if (file === undefined) return englishTexts();
  return file().catch(() => null); // the server can't be reached, or has been updated since
}

function fileOf(language: string): string {
  return `./${language}.json`;
}
