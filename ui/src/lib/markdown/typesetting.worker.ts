// The worker's side of typesetter.ts.

import { highlightCode, renderFormula } from "./typesetting.ts";
import type { Job, Reply } from "./typesetter.ts";

addEventListener("message", async ({ data }: MessageEvent<Job>) => {
  postMessage(await reply(data));
});

async function reply(job: Job): Promise<Reply> {
  try {
    if (job.kind === "code") return { id: job.id, made: await highlightCode(job.grammar, job.text) };
    return { id: job.id, made: await renderFormula(job.tex, job.display) };
  } catch (error) {
    return { id: job.id, fault: error instanceof Error ? error.message : String(error) };
  }
}
