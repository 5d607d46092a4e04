// Parts of an OpenAPI document, with what they refer to.

import assert from "node:assert/strict";
import { test } from "vitest";
import { resolveSubtree } from "../src/lib/openApiSubtree.ts";

const TEXT = { type: "string", title: "Text" };
const REFERENCES = {
  text: { $ref: "#/components/schemas/Text" },
  node: { $ref: "#/components/schemas/Node" },
  way: { $ref: "#/paths/~1a~0b/get" },
};
const DOCUMENT = {
  paths: { "/a~b": { get: { summary: "Get", body: [REFERENCES.text, 1, null] } }, "/two": { get: { way: REFERENCES.way, node: REFERENCES.node } } },
  components: { schemas: { Text: TEXT, Node: { title: "Node", parent: REFERENCES.node, text: REFERENCES.text } } },
};

test("what a reference names stands in its place, but not within itself", () => {
  const node = { title: "Node", parent: REFERENCES.node, text: TEXT };
  assert.deepEqual(resolveSubtree(DOCUMENT, ["paths", "/two", "get"]), { way: { summary: "Get", body: [TEXT, 1, null] }, node });
  assert.deepEqual(resolveSubtree(DOCUMENT, ["paths", "/a~b"]), { get: { summary: "Get", body: [TEXT, 1, null] } });
  assert.deepEqual(resolveSubtree({ a: { ...REFERENCES.text, title: "Name" }, ...DOCUMENT }, ["a"]), { type: "string", title: "Name" });
  assert.equal(resolveSubtree(DOCUMENT, ["components", "securitySchemes"]), null);
});

test("where two name each other, each is whole in its own place", () => {
  const [first, second] = [{ $ref: "#/First" }, { $ref: "#/Second" }];
  const mutual = { First: { other: second }, Second: { other: first }, both: { first, second } };
  assert.deepEqual(resolveSubtree(mutual, ["both"]), { first: { other: { other: first } }, second: { other: { other: second } } });
});
