// Texts follow their language's habits: quotes, ellipses, spaces, one form of address; commands have no place in them.

import assert from "node:assert/strict";
import { test } from "vitest";
import type { Plural, Translation } from "../src/lib/i18n/translate.ts";

const LANGUAGES = import.meta.glob<Translation>("../src/lib/i18n/[a-z][a-z].json", { eager: true, import: "default" });

/** What a person says to the model, which isn't addressed as a person is. */
const TO_THE_MODEL = new Set([
  "explainText", "writeText", "gatherText", "compareText", "planText", "translateText", "fileAlone", "filesAlone", "photoAlone",
]);

const QUOTES: Readonly<Record<string, string>> = {
  bg: "„“", cs: "„“", da: "»«", de: "„“", el: "«»", en: "“”", es: "«»", et: "„“", fi: "””", fr: "«»", ga: "“”", hr: "„”",
  hu: "„”", it: "«»", lt: "„“", lv: "„”", mt: "“”", nl: "“”", pl: "„”", pt: "«»", ro: "„”", sk: "„“", sl: "»«", sv: "””",
};

/** Languages that set a space before an ellipsis for left-out words. */
const SPACED_ELLIPSIS = new Set(["de", "sl"]);

/** Words of the form of address that a language doesn't use here. */
const WRONG_ADDRESS: Readonly<Record<string, RegExp>> = {
  de: /\b(du|dir|dich|deine?[mnrs]?|euch|euer|eure)\b/i,
  es: /(?<!\p{L})(tú|tus?|te|ti)(?!\p{L})/iu,
  fr: /(?<!\p{L})(tu|te|toi|ton|ta|tes)(?!\p{L})/iu,
  it: /\b(Lei|Suo|Sua|Suoi|Sue|attenda|scelga|inizi)\b/,
  nl: /\b(u|uw)\b/i,
  pl: /\b(Pan|Pani|Państwo|Państwa)\b/,
};

function textsOf(translation: Translation): [string, string][] {
  return Object.entries(translation).flatMap(([key, text]: [string, string | Plural]) =>
    (typeof text === "string" ? [text] : Object.values(text)).map((one): [string, string] => [key, one]),
  );
}

assert.equal(Object.keys(LANGUAGES).length, Object.keys(QUOTES).length);
for (const [path, translation] of Object.entries(LANGUAGES)) {
  const language = path.slice(-"xx.json".length, -".json".length);
  const texts = textsOf(translation);
  /** Keys and texts that `pattern` finds. */
  const found = (pattern: RegExp) => texts.filter(([, text]) => pattern.test(text));

  test(`${language}: quotes are the language's own`, () => {
    const own = QUOTES[language] ?? "";
    const foreign = [...'"`„“”«»‹›'].filter((mark) => !own.includes(mark)).join("");
    assert.deepEqual(found(new RegExp(`[${foreign}]|'`)), []);
  });

  test(`${language}: an ellipsis is one character and spaced by one rule`, () => {
    assert.deepEqual(found(/\.\.\./), []);
    assert.deepEqual(found(SPACED_ELLIPSIS.has(language) ? /[^\s]…/ : /\s…/), []);
  });

  test(`${language}: no text tells to run a command`, () => {
    assert.deepEqual(found(/\beclair [a-z]/), []);
  });

  test(`${language}: no text starts or ends with a space or holds two`, () => {
    assert.deepEqual(found(/^\s|\s$|\s\s/), []);
  });

  const wrong = WRONG_ADDRESS[language];
  if (wrong !== undefined) {
    test(`${language}: people are addressed in one form`, () => {
      assert.deepEqual(found(wrong).filter(([key]) => !TO_THE_MODEL.has(key)), []);
    });
  }
}

test("fr: double punctuation doesn't break from its word", () => {
  const texts = textsOf(Object.entries(LANGUAGES).find(([path]) => path.endsWith("/fr.json"))?.[1] as Translation);
  assert.deepEqual(texts.filter(([, text]) => /[^\u202f][;?!»]|«[^\u202f]|[^\u00a0]:(?!\S)/.test(text)), []);
});
