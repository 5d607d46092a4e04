import assert from "node:assert/strict";
import { test } from "vitest";
import { fileName, language } from "../src/lib/markdown/codeLanguages.ts";
import { renderDocument } from "../src/lib/markdown/render.ts";
import { grammars, highlightCode, renderFormula } from "../src/lib/markdown/typesetting.ts";

test("highlighted code is the same code", async () => {
  const codes = ['const x = `a${b + "&lt;"}`; // <é>', "<p class='x'>&amp;</p><script>let a = 1</script>", "", "\n\n", "def f(): return {1: 'two'}", "\u202e x"];
  for (const grammar of [...grammars, "plaintext"]) {
    for (const code of codes) assert.equal((await highlightCode(grammar, code)).map(([text]) => text).join(""), code, grammar);
  }
  assert.deepEqual((await highlightCode("python", "return 1"))[0], ["return", "word"]);
});

test("every language with a label has a grammar", () => {
  const names = ["python", "js", "TSX", "c++", "C#", "sh", "yml", "html", "svg", "dockerfile", "golang", "jsonl"];
  for (const name of names) assert.ok(grammars.has(language(name)?.grammar ?? ""), name);
  assert.equal(language("nothing"), undefined);
});

test("code is saved under its own file name, or one of its language", () => {
  assert.equal(fileName('python title="src/app.py"', "x"), "app.py");
  assert.equal(fileName("ts:ui/main.ts", "x"), "main.ts");
  assert.equal(fileName("js", "// lib/util.mjs\nlet x"), "util.mjs");
  assert.equal(fileName("python", "# version 3.11\nx"), "code.py");
  assert.equal(fileName("dockerfile", "FROM x"), "Dockerfile");
  assert.equal(fileName("", "x"), "code.txt");
  assert.equal(fileName("python ../../etc/passwd.x", "x"), "passwd.x");
});

test("a formula is rendered without inline styles, and an invalid one says why", async () => {
  const made = await renderFormula("\\boxed{\\frac{a}{b}} \\text{\"style=\"}", true);
  assert.doesNotMatch(made, /\sstyle=/);
  assert.match(made, /data-style="/);
  assert.match(made, /<math/);
  await assert.rejects(renderFormula("\\frac{1", false), /KaTeX parse error/);
  await assert.rejects(renderFormula("\\def\\a{\\a\\a}\\a", false), /expansion/i);
  assert.doesNotMatch(await renderFormula("\\href{javascript:alert(1)}{x} \\htmlStyle{color:red}{y}", false), /<a |javascript:alert\(1\)"/);
});

test("dollars are money unless they enclose a formula", () => {
  const formulas: [string, string[]][] = [
    ["It costs $5 and $10.", []], ["From $5-$10.", []], ["US$5, A$ 6", []], ["\\$x$", []], ["`$x$`", []], ["$x$", ["x"]], ["($a_1$, $b_2$)", ["a_1", "b_2"]],
    ["\\(x\\) and \\[y\\]", ["x", "y"]], ["$$\nx\n$$", ["x"]], ["text\n$$ x $$\ntext", ["x"]], ["$$\nx\n\ny\n$$", []], ["$ x$", []], ["- $$x$$", ["x"]], ["$\\$5$", ["\\$5"]],
  ];
  for (const [text, expected] of formulas) {
    const found = [...renderDocument(text).matchAll(/data-tex="([^"]*)"/g)].map(([, tex]) => tex);
    assert.deepEqual(found, expected, text);
  }
});

test("a footnote mark counts only when its note exists", () => {
  assert.match(renderDocument("a[^1]\n\n[^1]: Note *well*\n    and more"), /data-do="note"[^]*role="note"[^]*<em>well<\/em><br>and more/);
  assert.match(renderDocument("[^1]: https://example.org\n\na[^1]"), /data-do="note"/);
  assert.doesNotMatch(renderDocument("a[^1] b"), /data-do/);
  assert.match(renderDocument("a[^1] b"), /\[\^1\]/);
});

test("text that is nested too deep, unclosed or reversed is shown", () => {
  assert.match(renderDocument(`${">".repeat(8000)} deep`), /deep/);
  assert.match(renderDocument(`${"- ".repeat(4000)}deep\n\n**on**`), /deep[^]*<strong>on/);
  assert.match(renderDocument("```python\nx = 1"), /x = 1/);
  const turned = renderDocument("a \u202e b [\u202e](https://example.org/\u202e)\n\n```\n\u2066\n```");
  assert.equal([...turned.matchAll(/<bdi class="control"/g)].length, 3);
  assert.doesNotMatch(turned, /="[^"]*[\u202e\u2066]/);
});

test("long lines and hostile markup take no long time", () => {
  const texts = ["[".repeat(30_000), "$a ".repeat(30_000), "\\(".repeat(15_000), "a".repeat(100_000), "[^1]: a\n".repeat(2000), "$$\n".repeat(10_000), "[a](".repeat(20_000)];
  for (const text of texts) {
    const since = performance.now();
    renderDocument(text);
    assert.ok(performance.now() - since < 2000, text.slice(0, 10));
  }
});
