// Skills that come with Éclair have names of the page's; those that somebody made keep their own.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "vitest";
import { stepTitle } from "../src/lib/answer.ts";
import { skillName, skillTexts } from "../src/lib/skillNames.ts";

const FOLDERS = readdirSync("../src/eclair/skills/packaged");

function skill(name: string, is_packaged: boolean) {
  return { name, description: "As its file says.", compatibility: null, is_packaged };
}

test("each skill of the package has a name and a description in the page's language", () => {
  assert.ok(FOLDERS.length >= 4);
  for (const name of FOLDERS) {
    const texts = skillTexts(skill(name, true));
    assert.notEqual(texts.name, name);
    assert.equal(texts.name, skillName(name, true));
    assert.notEqual(texts.description, "As its file says.");
  }
});

test("a skill that somebody made says itself what it is, whatever its name", () => {
  for (const own of [skill("greeting", false), skill("data-check", false)]) assert.equal(skillTexts(own), own);
  assert.equal(skillName("greeting", true), "greeting");
  assert.equal(skillName("constructor", true), "constructor");
  assert.equal(skillName("data-check", false), "data-check");
});

test("a step names a packaged skill in the page's language, and another one of its name as it is called", () => {
  assert.equal(stepTitle({ kind: "skill", title: "Reading the packaged skill data-check", of: null }), "Reading the skill Data check");
  assert.equal(stepTitle({ kind: "skill", title: "Reading the skill data-check", of: null }), "Reading the skill data-check");
});
