import assert from "node:assert/strict";
import { test } from "vitest";
import { Sentences } from "../src/lib/markdown/sentences.ts";
import { pieces, random } from "./random.ts";

test("sentences are announced once, complete and in order, however the text arrives", () => {
  const text = "The **sky** is blue. Why? Air scatters short waves (see [this](https://example.org)).\n\n- One thing\n- Another thing\n\nAnd a last one";
  const expected = "The sky is blue. Why? Air scatters short waves (see this). One thing Another thing And a last one";
  for (let seed = 1; seed < 100; seed++) {
    const sentences = new Sentences();
    const announced: string[] = [];
    let grown = "";
    for (const piece of pieces(text, random(seed))) {
      grown += piece;
      announced.push(sentences.next(grown, false));
    }
    announced.push(sentences.next(grown, true));
    assert.equal(announced.filter((part) => part !== "").join(" "), expected, `seed ${seed}`);
  }
});

test("half a sentence is not announced", () => {
  const sentences = new Sentences();
  assert.equal(sentences.next("It was a quiet", false), "");
  assert.equal(sentences.next("It was a quiet evening. The", false), "It was a quiet evening.");
});
