// What an implementation that shares no code with ours finds in files: a line of JSON for each, whether it holds and the codes of the
// specification that say why.
import { readFile } from "node:fs/promises";
import { JPEG, PNG } from "@trustnxt/c2pa-ts/asset";
import { SuperBox } from "@trustnxt/c2pa-ts/jumbf";
import { ManifestStore } from "@trustnxt/c2pa-ts/manifest";

for (const path of process.argv.slice(2)) {
  const data = await readFile(path);
  const asset = PNG.canRead(data) ? new PNG(data) : new JPEG(data);
  const found = await ManifestStore.read(SuperBox.fromBuffer(asset.getManifestJUMBF())).validate(asset);
  console.log(JSON.stringify({ holds: found.isValid, codes: found.statusEntries.map(({ code }) => code) }));
}
