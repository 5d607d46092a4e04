// A folder as a zip: paths in UTF-8, bytes as they are, nothing hidden.

import assert from "node:assert/strict";
import { test } from "vitest";
import { crc32, zipFolder } from "../src/lib/zipFolder.ts";

function file(path: string, text: string): File {
  const made = new File([text], path.split("/").at(-1) ?? "");
  Object.defineProperty(made, "webkitRelativePath", { value: path });
  return made;
}

test("a checksum is that of the standard", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  assert.equal(crc32(new Uint8Array()), 0);
});

test("a zip has each file of the folder, and a directory that finds it", async () => {
  const packed = await zipFolder([file("Über/SKILL.md", "text"), file("Über/scripts/a.py", ""), file("Über/.git/config", "secret"), file("Über/__pycache__/a.pyc", "x")], "skill.zip");
  const bytes = Buffer.from(await packed.arrayBuffer());
  const end = bytes.length - 22;
  assert.equal(bytes.readUInt32LE(end), 0x06054b50);
  assert.deepEqual([bytes.readUInt16LE(end + 8), bytes.readUInt16LE(end + 10)], [2, 2]);
  let at = bytes.readUInt32LE(end + 16);
  assert.equal(at + bytes.readUInt32LE(end + 12), end);
  const found: Record<string, string> = {};
  for (let left = 2; left > 0; left -= 1) {
    assert.equal(bytes.readUInt32LE(at), 0x02014b50);
    const [crc, size, length, local] = [bytes.readUInt32LE(at + 16), bytes.readUInt32LE(at + 24), bytes.readUInt16LE(at + 28), bytes.readUInt32LE(at + 42)];
    const name = bytes.toString("utf8", at + 46, at + 46 + length);
    assert.equal(bytes.readUInt32LE(local), 0x04034b50);
    assert.equal(bytes.toString("utf8", local + 30, local + 30 + length), name);
    const data = bytes.subarray(local + 30 + length, local + 30 + length + size);
    assert.equal(crc32(data), crc);
    found[name] = data.toString("utf8");
    at += 46 + length;
  }
  assert.deepEqual(found, { "Über/SKILL.md": "text", "Über/scripts/a.py": "" });
});
