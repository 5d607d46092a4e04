// Images: options, sizes, progress in words, and their place in an answer.

import assert from "node:assert/strict";
import { test } from "vitest";
import { answerSegments } from "../src/lib/answer.ts";
import { enlargeOptions, fromStoredOptions, imageShape, parseDrawCommand, progressAnnouncement, progressText, repeatOptions, sizeForShape, styleName, switchModel, toStoredOptions, variationOptions } from "../src/lib/images.ts";
import type { ImageOptions } from "../src/api/conversations.ts";
import type { GeneratedImage, ImageModel } from "../src/api/images.ts";
import type { Part } from "../src/api/events.ts";

const MODEL: ImageModel = {
  ...{ id: "flux", name: "FLUX", maker: "Black Forest Labs", country: "DE", license: "Apache-2.0" },
  ...{ width: 1024, height: 1024, least: 256, most: 2048, multiple: 16, steps: 4, guidance: null },
  ...{ generator: "flux", license_url: null, restricted: false, previews: true, languages: [] },
  ...{ edits: true, masks: true, negative: false, jurisdiction: null, drawn: false, state: "ready", why: null, installable: false, bytes: null, default: true },
};
const SMALL: ImageModel = { ...MODEL, id: "small", width: 256, height: 256, least: 128, most: 256, multiple: 128, edits: false, masks: false };
const PICTURE: GeneratedImage = {
  ...{ id: "pic_1", conversation: null, created: 1, prompt: "an apple", model: "flux", media: "image/png" },
  ...{ width: 1024, height: 768, size: 9, seed: 7, steps: 4, guidance: null, style: null, negative: "", source: null, milliseconds: 5, revised_prompt: null },
};

function part(kind: Part["kind"], id: string | null = null): Part {
  return { kind, text: "", id, name: null, round: 0 };
}

test("a shape keeps to the model's limits", () => {
  assert.deepEqual(sizeForShape("square", MODEL), { width: 1024, height: 1024 });
  assert.deepEqual(sizeForShape("landscape", MODEL), { width: 1248, height: 832 });
  assert.deepEqual(sizeForShape("portrait", MODEL), { width: 832, height: 1248 });
  for (const shape of ["square", "landscape", "portrait"] as const) {
    for (const model of [MODEL, SMALL, { ...MODEL, multiple: 64 }]) {
      const { width, height } = sizeForShape(shape, model);
      for (const side of [width, height]) assert.ok(side >= model.least && side <= model.most && side % model.multiple === 0);
    }
  }
});

test("a shape is recognized, and kept for another model", () => {
  const wide: ImageOptions = { model: "flux", ...sizeForShape("landscape", MODEL) };
  assert.equal(imageShape(wide, MODEL), "landscape");
  assert.equal(imageShape({}, MODEL), "square");
  assert.equal(imageShape({ width: 640, height: 1024 }, MODEL), null);
  const larger = { ...MODEL, id: "larger", width: 2048, height: 1024, most: 4096 };
  assert.deepEqual(switchModel(wide, MODEL, larger), { model: "larger", ...sizeForShape("landscape", larger) });
  assert.deepEqual(switchModel({ width: 640, height: 1024 }, MODEL, larger), { model: "larger", width: 640, height: 1024 });
});

test("another model gets only the options that it supports", () => {
  const drawing: ImageOptions = { model: "flux", count: 2, seed: 3, steps: 20, guidance: 3, negative: "people", strength: 0.4, style: "ink" };
  assert.deepEqual(switchModel(drawing, MODEL, SMALL), { model: "small", count: 2, seed: 3, style: "ink" });
  assert.deepEqual(switchModel(drawing, MODEL, { ...MODEL, negative: true }), { model: "flux", count: 2, seed: 3, style: "ink", negative: "people", strength: 0.4 });
});

test("options are stored with a message, and restored from it", () => {
  const drawing: ImageOptions = { width: 512, height: 768, count: 3, seed: 0, style: "ink", negative: "people", sources: ["pic_1"], strength: 0.5 };
  assert.deepEqual(fromStoredOptions(toStoredOptions(drawing), "flux"), { ...drawing, model: "flux" });
  assert.deepEqual(fromStoredOptions(toStoredOptions({}), null), {});
});

test("an image is repeated, varied and enlarged with its own options", () => {
  const same = { model: "flux", width: 1024, height: 768, steps: 4 };
  assert.deepEqual(repeatOptions(PICTURE), same);
  assert.deepEqual(variationOptions(PICTURE), { ...same, sources: ["pic_1"], strength: 0.6 });
  assert.deepEqual(enlargeOptions(PICTURE, MODEL), { ...same, width: 2048, height: 1536, sources: ["pic_1"], strength: 0.3 });
  assert.deepEqual(enlargeOptions(PICTURE, { ...MODEL, most: 1536 }), { ...same, width: 1536, height: 1152, sources: ["pic_1"], strength: 0.3 });
  assert.equal(enlargeOptions(PICTURE, { ...MODEL, most: 1024 }), null);
});

test("the draw command's text is the prompt", () => {
  assert.equal(parseDrawCommand("/draw a blue apple\non a table"), "a blue apple\non a table");
  assert.equal(parseDrawCommand(" /draw"), "");
  assert.equal(parseDrawCommand("/drawing"), null);
  assert.equal(parseDrawCommand("please /draw it"), null);
});

test("the progress of an image", () => {
  assert.equal(progressText({ before: 1, done: null, of: null }), "1 image ahead of yours");
  assert.equal(progressText({ before: 2, done: 0, of: 4 }), "2 images ahead of yours");
  assert.equal(progressText({ before: 0, done: 0, of: 4 }), "Starting…");
  assert.equal(progressText({ done: 2, of: 4 }), "Step 2 of 4");
  const step = { step: "pic_2", kind: "draw", title: "", milliseconds: null, outcome: null, count: null, done: 1, of: 4, preview: null, seconds_left: null } as const;
  assert.equal(progressAnnouncement({ steps: [step], parts: [] }), "Step 1 of 4");
  assert.equal(progressAnnouncement({ steps: [{ ...step, milliseconds: 3 }, step], parts: [part("picture", "pic_1")] }), "1 image is ready. Step 1 of 4");
  assert.equal(progressAnnouncement({ steps: [{ ...step, milliseconds: 3 }], parts: [] }), "");
  assert.equal(progressAnnouncement({ steps: [{ ...step, kind: "load", step: "queue-1", done: 1, of: 3 }], parts: [] }), "2 images ahead of yours");
  assert.equal(progressAnnouncement({ steps: [{ ...step, kind: "load", step: "engine" }], parts: [] }), "");
});

test("consecutive images are grouped, including those in progress", () => {
  const parts = [part("text"), part("picture", "a"), part("picture", "b"), part("text"), part("picture", "c")];
  const shown = answerSegments({ parts }, false).map(({ i, pictures }) => [i, pictures?.map(({ id }) => id)]);
  assert.deepEqual(shown, [[0, undefined], [1, ["a", "b"]], [3, undefined], [4, ["c"]]]);
  assert.deepEqual(answerSegments({ parts: [] }, true), [{ i: 0, pictures: [] }]);
  assert.equal(answerSegments({ parts: [part("text")] }, true).length, 2);
  assert.equal(answerSegments({ parts: [part("picture", "a")] }, true).length, 1);
});

test("an unknown style has its own title", () => {
  assert.equal(styleName("ink", "Ink"), "Ink drawing");
  assert.equal(styleName("toString", "Other"), "Other");
});
