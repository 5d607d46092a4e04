// Which languages this build has, and speaking one of them. Each but English is a file of its own, fetched when needed.

import en from "./en.json";
import { firstAvailable, LANGUAGES } from "./languages.ts";
import { currentLanguage, setLanguage, type Translation } from "./translate.ts";

const files = import.meta.glob<Translation>(["./??.json", "!./en.json"], { import: "default" });

/** The codes of the languages that can be spoken, in the order of their own names. */
export const availableLanguages: readonly string[] = Object.keys(LANGUAGES).filter((code) => code === "en" || fileOf(code) in files);

/** The language that was chosen, or else the browser's first one that is here. */
export function chooseLanguage(language: string | null, browser: readonly string[]): string {
  return firstAvailable(language === null ? browser : [language, ...browser], availableLanguages);
}

let wanted = "en";

/** Speak it from now on; false where its file cannot be fetched, and what was spoken stays. */
export async function loadLanguage(language: string): Promise<boolean> {
  wanted = language;
  if (language === currentLanguage()) return true;
  const words = await wordsOf(language);
  if (words !== null && wanted === language) setLanguage(language, words);
  return words !== null;
}

async function wordsOf(language: string): Promise<Translation | null> {
  const file = files[fileOf(language)];
  if (file === undefined) return en;
  return file().catch(() => null); // the server is gone, or has been updated since
}

function fileOf(language: string): string {
  return `./${language}.json`;
}
