// Fields of a copied table: a spreadsheet must take none for a formula.

import assert from "node:assert/strict";
import { test } from "vitest";
import { csvField } from "../src/lib/csv.ts";

test("what begins like a formula is text", () => {
  for (const text of ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", '=HYPERLINK("https://evil.example")', "-x"]) {
    assert.match(csvField(text), /^"?'/);
  }
});

test("numbers and words stay as they are", () => {
  for (const text of ["-5", "+3.5 %", "-1e9", "12", "a=b", "", "–4", "-1 000"]) assert.equal(csvField(text), text);
  assert.equal(csvField("-1.234,56 €"), '"-1.234,56 €"');
});

test("quotes, commas and line breaks are quoted", () => {
  assert.equal(csvField('a "b", c'), '"a ""b"", c"');
  assert.equal(csvField("a\nb"), '"a\nb"');
});
