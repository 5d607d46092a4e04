// openai for JavaScript, chat completions; the answer's message is pushed onto the history as it is.
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { FUNCTION, NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, V1 } from './probe.mjs';
import { getWeather, probe, runPage, user } from './probe.mjs';

const client = new OpenAI({ baseURL: V1, apiKey: 'none', maxRetries: 0 });
const tools = [{ type: 'function', function: FUNCTION }];

async function loop(model, ask) {
  const messages = [user(TOOL_QUESTION)];
  for (;;) {
    const message = await ask({ model, messages, tools });
    messages.push(message);
    if (!message.tool_calls?.length) return messages;
    for (const call of message.tool_calls) {
      const content = getWeather(JSON.parse(call.function.arguments));
      messages.push({ role: 'tool', tool_call_id: call.id, content });
    }
  }
}

const whole = async (body) => (await client.chat.completions.create(body)).choices[0].message;
const streamed = async (body) => await client.chat.completions.stream(body).finalMessage();

await probe({
  chat: (model) => runPage('openai.md', model),
  stream: async (model) => {
    const pieces = [];
    const body = { model, messages: [user(QUESTION)], stream: true };
    for await (const chunk of await client.chat.completions.create(body)) {
      pieces.push(chunk.choices[0]?.delta.content ?? '');
    }
    return pieces;
  },
  tools: async (model) => [
    (await loop(model, whole)).at(-1).content,
    (await loop(model, streamed)).at(-1).content,
  ],
  schema: async (model) => {
    const city = z.object({ city: z.string(), population: z.number().int() });
    const response_format = zodResponseFormat(city, 'city');
    const body = { model, messages: [user(SCHEMA_QUESTION)], response_format };
    return (await client.chat.completions.parse(body)).choices[0].message.parsed;
  },
  second_turn: async (model) => {
    const answers = [];
    for (const ask of [whole, streamed]) {
      const messages = [...(await loop(model, ask)), user(NEXT_QUESTION)];
      answers.push((await ask({ model, messages })).content);
    }
    return answers;
  },
  embed: async (model) => (await client.embeddings.create({ model, input: 'Paris' })).data[0].embedding,
});
