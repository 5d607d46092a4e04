// Groups of tools: each tool is in one, and a group that is chosen in part is told apart.

import assert from "node:assert/strict";
import { test } from "vitest";
import { groupShare, TOOL_GROUPS, withGroup } from "../src/lib/toolGroups.ts";

const CALCULATING = TOOL_GROUPS.find(({ label }) => label === "calculating") ?? assert.fail();

test("no tool is in two groups", () => {
  const tools = TOOL_GROUPS.flatMap((group) => group.tools);
  assert.equal(new Set(tools).size, tools.length);
});

test("a group is chosen whole, in part or not at all, and others stay", () => {
  assert.equal(groupShare(["run_python"], CALCULATING), "none");
  assert.equal(groupShare(["calculate"], CALCULATING), "some");
  const whole = withGroup(["board__add", "calculate"], CALCULATING, true);
  assert.equal(groupShare(whole, CALCULATING), "all");
  assert.deepEqual(withGroup(whole, CALCULATING, false), ["board__add"]);
});
