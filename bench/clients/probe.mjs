// Helpers for JavaScript programs: the questions, one tool, and the report of what was seen.
// A file has a function for each cell, as in probe.py; a cell that is a text says why the program has none.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ADDRESS = 'http://127.0.0.1:8642';
const PAGES = process.env.CLIENT_PAGES;
export const URL_ = process.env.ECLAIR_URL ?? ADDRESS;
export const V1 = `${URL_}/v1`;
export const QUESTION = 'What is the capital of France?';
export const TOOL_QUESTION = 'Use a tool: how warm is it in Paris?';
export const NEXT_QUESTION = 'And what is the capital of France?';
export const SCHEMA_QUESTION = 'Describe Paris.';
export const CITY = {
  type: 'object',
  properties: { city: { type: 'string' }, population: { type: 'integer' } },
  required: ['city', 'population'],
  additionalProperties: false,
};
export const FUNCTION = {
  name: 'get_weather',
  description: 'Tell how warm it is.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
export const getWeather = ({ city }) => `21 degrees in ${city}`;
export const user = (content) => ({ role: 'user', content });

/** Run a page's JavaScript block and return its output. */
export function runPage(page, model, number = 0) {
  const found = [...readFileSync(join(PAGES, page), 'utf-8').matchAll(/^```js\n([^]*?)^```/gm)][number][1];
  const file = join(process.cwd(), `page-${process.pid}.mjs`);
  writeFileSync(file, found.replaceAll(ADDRESS, URL_).replace(/\bauto\b/g, model));
  try {
    return execFileSync(process.execPath, [file], { encoding: 'utf-8', stdio: ['ignore', 'pipe', 'pipe'] });
  } finally {
    rmSync(file);
  }
}

function fault(cell, result) {
  const good = {
    chat: () => String(result).includes('Paris'),
    stream: () => result.length > 2 && result.join('').includes('capital of France is Paris'),
    tools: () => [result].flat().every((one) => /\b21\b/.test(String(one))),
    schema: () => result.city === 'Paris' && result.population === 2100000,
    second_turn: () => [result].flat().every((one) => String(one).includes('Turn 2')),
    embed: () => [8, 384].includes(result.length),
  }[cell]();
  return good ? null : `got ${JSON.stringify(result)?.slice(0, 120)}`;
}

async function outcome(cell, program) {
  if (program === undefined) return '–';
  if (typeof program === 'string') return `– ${program}`;
  for (const model of cell === 'embed' ? ['vectors'] : ['plain', 'thinking']) {
    let wrong;
    try {
      wrong = fault(cell, await program(model));
    } catch (error) {
      console.error(error);
      wrong = `${error.name}: ${String(error.message).replace(/\s+/g, ' ')}`;
    }
    if (wrong) return `${model}: ${wrong}`.slice(0, 300);
  }
  return 'ok';
}

/** Try each cell and print the outcomes as the last line. */
export async function probe(program) {
  const cells = {};
  for (const cell of ['chat', 'stream', 'tools', 'schema', 'second_turn', 'embed']) {
    cells[cell] = await outcome(cell, program[cell]);
  }
  console.log(`\n${JSON.stringify(cells)}`);
  process.exit(0);
}
