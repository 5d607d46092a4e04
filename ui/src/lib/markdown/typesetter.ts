// Highlights code and renders formulas in a worker, which starts when it is first needed.

import type { Run } from "./typesetting.ts";

export type Job = { readonly id: number } & (
  | { readonly kind: "code"; readonly grammar: string; readonly text: string }
  | { readonly kind: "formula"; readonly tex: string; readonly display: boolean }
);
export type Reply = { readonly id: number; readonly made: readonly Run[] | string } | { readonly id: number; readonly fault: string };

/** It failed; the text stays as it is. */
export class TypesettingFailed extends Error {}

const waiting = new Map<number, (reply: Reply) => void>();
let worker: Worker | undefined;
let last = 0;

export function highlightCode(grammar: string, text: string): Promise<readonly Run[]> {
  return ask({ id: ++last, kind: "code", grammar, text });
}

export function renderFormula(tex: string, display: boolean): Promise<string> {
  return ask({ id: ++last, kind: "formula", tex, display });
}

function ask<T>(job: Job): Promise<T> {
  worker ??= start();
  worker.postMessage(job);
  return new Promise((resolve, reject) => {
    waiting.set(job.id, (reply) => {
      if ("fault" in reply) reject(new TypesettingFailed(reply.fault));
      else resolve(reply.made as T);
    });
  });
}

function start(): Worker {
  const started = new Worker(new URL("./typesetting.worker.ts", import.meta.url), { type: "module" });
  started.onmessage = ({ data }: MessageEvent<Reply>) => {
    waiting.get(data.id)?.(data);
    waiting.delete(data.id);
  };
  started.onerror = () => {
    for (const [id, tell] of waiting) tell({ id, fault: "The worker could not be loaded." });
    waiting.clear();
  };
  return started;
}
