// What an implementation that shares no code with ours finds in files: a line of JSON for each, whether it holds and the codes of the
// specification that say why.
import { readFile } from "node:fs/promises";
import { JPEG, MP3, PNG } from "@trustnxt/c2pa-ts/asset";
import { SuperBox } from "@trustnxt/c2pa-ts/jumbf";
import { ManifestStore } from "@trustnxt/c2pa-ts/manifest";

// The library knows the frame of an ID3 tag by the media type that it had before C2PA 2.1.
class SignedMP3 extends MP3 {
  checkManifestFrame(index) {
    const { dataOffset } = this.frames[index];
    const frame = Buffer.from(this.data).subarray(dataOffset + 1);
    if (frame.toString("latin1").startsWith("application/c2pa\0")) this.manifestFrameIndex = index;
  }
}

for (const path of process.argv.slice(2)) {
  const data = await readFile(path);
  const Asset = [PNG, JPEG, SignedMP3].find((each) => each.canRead(data));
  const asset = new Asset(data);
  const found = await ManifestStore.read(SuperBox.fromBuffer(asset.getManifestJUMBF())).validate(asset);
  console.log(JSON.stringify({ holds: found.isValid, codes: found.statusEntries.map(({ code }) => code) }));
}
