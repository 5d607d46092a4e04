// The description of a photo in another language than the server's.

import assert from "node:assert/strict";
import { afterEach, test } from "vitest";
import de from "../src/lib/i18n/de.json";
import en from "../src/lib/i18n/en.json";
import { setLanguage, type Translation } from "../src/lib/i18n/translate.ts";
import { translateDescription } from "../src/lib/photoDescription.ts";

const ENGLISH = [
  "This is a picture of 4,000 × 3,000 pixels (HEIC).",
  "Its file says that it was taken on 17 May 2024 at 14:03 with a camera that calls itself Fuji X-T5.",
  "It looks most like this: cup of coffee.",
  "Its main colors are blue (40%), grey (30%) and red (25%).",
  "A QR code in it says: https://example.org/menu",
  "It has 1 line of text.",
].join("\n");

afterEach(() => setLanguage("en", en));

/** Intl joins a number and its sign with a space that doesn't break. */
const translated = (text: string) => translateDescription(text).replaceAll("\u00a0", " ");

test("a photo is described in the page's language", () => {
  setLanguage("de", de as unknown as Translation);
  assert.equal(
    translated(ENGLISH),
    [
      "Ein Bild mit 4.000 × 3.000 Pixeln (HEIC).",
      "Aufgenommen am 17. Mai 2024 um 14:03, laut Datei. Kamera laut Datei: Fuji X-T5.",
      "Am ähnlichsten: cup of coffee.",
      "Hauptfarben: Blau (40 %), Grau (30 %), Rot (25 %).",
      "A QR code in it says: https://example.org/menu",
      "Textzeilen: 1.",
    ].join("\n"),
  );
});

test("what isn't known and what has no text", () => {
  setLanguage("de", de as unknown as Translation);
  const text = "What it shows isn't known; the name of the file is no evidence of it.\nIts main color is white (90%).\nNo text was found in it.";
  assert.equal(
    translated(text),
    "Was darauf zu sehen ist, ist nicht bekannt. Der Dateiname ist kein Beleg.\nHauptfarben: Weiß (90 %).\nEs enthält keinen lesbaren Text.",
  );
});

test("sentences of another kind stay", () => {
  assert.equal(translated("This is an SVG.\nSomething else."), "This is an SVG.\nSomething else.");
});
