import assert from "node:assert/strict";
import { test } from "vitest";
import { plainExcerpt } from "../src/lib/excerpt.ts";

test("an excerpt is read without the marks of Markdown", () => {
  const cases = {
    "## The **bold** \uE000truth\uE001 of `code`": "The bold \uE000truth\uE001 of code",
    "…and **\uE000bridge\uE001** over *the* river_bank": "…and \uE000bridge\uE001 over the river_bank",
    "- [x] see [the \uE000page\uE001](https://a.example/b) and [more](http": "see the \uE000page\uE001 and more",
    "| a | \uE000b\uE001 |\n| --- | --- |\n| 1 | 2 |": "a \uE000b\uE001 1 2",
    "```python\nprint(2 * 3)\n```": "print(2 * 3)",
    "It holds [1]. It costs 5 * 3 and 2**3, snake_case too.": "It holds . It costs 5 * 3 and 23, snake_case too.",
    "> quoted\nplain": "quoted plain",
  };
  for (const [excerpt, plain] of Object.entries(cases)) assert.equal(plainExcerpt(excerpt), plain);
});
