// Shortcuts: unique, labelled, and read from any keyboard.

import assert from "node:assert/strict";
import { test } from "vitest";
import en from "../src/lib/i18n/en.json";
import { ACTIONS, actionFor, keysFor } from "../src/state/actions.ts";
import { isAllowed, keyParts, type KeyPress, pressedKeys, typesText } from "../src/lib/shortcuts.ts";

function press(keys: string, more: Partial<KeyPress> = {}): KeyPress {
  const names = new Set(keys.split(" ").slice(0, -1));
  const key = keys.split(" ").at(-1) ?? "";
  return {
    key,
    code: /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : "",
    ctrlKey: names.has("ctrl"),
    metaKey: names.has("meta"),
    altKey: names.has("alt"),
    shiftKey: names.has("shift"),
    isComposing: false,
    getModifierState: (name) => names.has(name),
    ...more,
  };
}

test("every action has a text and an id, and no two share their keys", () => {
  for (const { id, label } of ACTIONS) assert.ok(/^[a-z]+$/.test(id) && en[label].length > 0, id);
  const given = ACTIONS.flatMap(({ keys }) => keys ?? []);
  for (const all of [ACTIONS.map(({ id }) => id), ACTIONS.map(({ label }) => label), given]) {
    assert.deepEqual(all.toSorted(), [...new Set(all)].toSorted());
  }
  for (const keys of given) assert.ok(keys === "Escape" || isAllowed(keys), keys);
});

test("chosen keys replace an action's own, and can be none", () => {
  const [palette] = ACTIONS;
  assert.ok(palette !== undefined);
  assert.equal(actionFor("Mod+K", {})?.id, "palette");
  assert.equal(actionFor("Mod+K", { palette: "Mod+P" }), undefined);
  assert.equal(actionFor("Mod+P", { palette: "Mod+P" })?.id, "palette");
  assert.equal(keysFor(palette, { palette: "" }), "");
  assert.equal(actionFor("", { palette: "" }), undefined);
});

test("keys are read as they are written, on every system and layout", () => {
  const read: [KeyPress, boolean, string][] = [
    [press("ctrl k"), false, "Mod+K"],
    [press("meta k"), true, "Mod+K"],
    [press("ctrl k"), true, "Ctrl+K"],
    [press("ctrl shift O"), false, "Mod+Shift+O"],
    [press("shift Escape"), false, "Shift+Escape"],
    [press("shift ?"), false, "?"],
    [press("ctrl ,"), false, "Mod+,"],
    [press("ctrl к", { code: "KeyR" }), false, "Mod+R"],
    [press("ctrl alt AltGraph @"), false, "@"],
    [press("alt ø", { code: "KeyO" }), true, "ø"],
    [press("meta alt ø", { code: "KeyO" }), true, "Mod+Alt+O"],
    [press("ctrl +"), false, "Mod++"],
    [press(" ", { key: " " }), false, "Space"],
    [press("ctrl Control"), false, ""],
    [press("Dead"), false, ""],
    [press("a", { isComposing: true }), false, ""],
  ];
  for (const [event, mac, keys] of read) assert.equal(pressedKeys(event, mac), keys, JSON.stringify(event));
  for (const keys of ["Mod+Shift+O", "Mod++", "+", "?", "Shift+Escape"]) assert.equal(keyParts(keys).join("+"), keys);
});

test("keys for typing and keys of the browser are reserved", () => {
  for (const keys of ["A", "Shift+A", "?", "Space"]) assert.ok(typesText(keys), keys);
  for (const keys of ["Mod+A", "Escape", "Alt+X"]) assert.ok(!typesText(keys), keys);
  for (const keys of ["Mod+T", "Mod+C", "Tab", "Shift+Tab", "Enter", "Escape"]) assert.ok(!isAllowed(keys), keys);
  for (const keys of ["Mod+K", "Mod+Enter", "?", "Shift+Escape"]) assert.ok(isAllowed(keys), keys);
});
