// Vercel's AI SDK, through the provider that VERCEL_PROVIDER names; the history is `response.messages`.
import { createAnthropic } from '@ai-sdk/anthropic';
import { createMistral } from '@ai-sdk/mistral';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import * as ai from 'ai';
import { z } from 'zod';
import { NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, V1 } from './probe.mjs';
import { getWeather, probe, runPage, user } from './probe.mjs';

const options = { baseURL: V1, apiKey: 'none' };
const provider = {
  openai: () => createOpenAI(options),
  'openai.chat': () => createOpenAI(options).chat,
  'openai-compatible': () =>
    createOpenAICompatible({ ...options, name: 'eclair', supportsStructuredOutputs: true }),
  anthropic: () => createAnthropic(options),
  mistral: () => createMistral(options),
}[process.env.VERCEL_PROVIDER]();
const inputSchema = z.object({ city: z.string() });
const tools = {
  get_weather: ai.tool({ description: 'Tell how warm it is.', inputSchema, execute: getWeather }),
};

const common = { maxRetries: 0, stopWhen: ai.stepCountIs(4) };
const whole = (model, messages) => ai.generateText({ ...common, model: provider(model), messages, tools });

async function streamed(model, messages) {
  let failure;
  const result = ai.streamText({
    ...common,
    model: provider(model),
    messages,
    tools,
    onError: ({ error }) => { failure = error; },
  });
  await result.consumeStream();
  if (failure) throw failure;
  return { text: await result.text, response: await result.response, steps: await result.steps };
}

async function secondTurn(model, ask) {
  const messages = [user(TOOL_QUESTION)];
  const first = await ask(model, messages);
  return (await ask(model, [...messages, ...first.response.messages, user(NEXT_QUESTION)])).text;
}

await probe({
  chat: (model) =>
    process.env.VERCEL_PROVIDER === 'openai' ? runPage('vercel-ai.md', model)
    : ai.generateText({ ...common, model: provider(model), prompt: QUESTION }).then(({ text }) => text),
  stream: async (model) => {
    const pieces = [];
    let failure;
    const onError = ({ error }) => { failure = error; };
    const result = ai.streamText({ ...common, model: provider(model), prompt: QUESTION, onError });
    for await (const piece of result.textStream) pieces.push(piece);
    if (failure) throw failure;
    return pieces;
  },
  tools: async (model) => {
    const messages = [user(TOOL_QUESTION)];
    return [(await whole(model, messages)).text, (await streamed(model, messages)).text];
  },
  schema: async (model) => {
    const schema = z.object({ city: z.string(), population: z.number().int() });
    return (await ai.generateObject({ maxRetries: 0, model: provider(model), schema, prompt: SCHEMA_QUESTION })).object;
  },
  second_turn: async (model) => [await secondTurn(model, whole), await secondTurn(model, streamed)],
  embed:
    process.env.VERCEL_PROVIDER === 'openai' ?
      async (model) =>
        (await ai.embed({ model: createOpenAI(options).embedding(model), value: 'Paris', maxRetries: 0 })).embedding
    : undefined,
});
