// @mistralai/mistralai, whole and streamed.
import { Mistral } from '@mistralai/mistralai';
import { z } from 'zod';
import { FUNCTION, NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, URL_ } from './probe.mjs';
import { getWeather, probe, runPage, user } from './probe.mjs';

const client = new Mistral({ serverURL: URL_, apiKey: 'none', retryConfig: { strategy: 'none' } });
const tools = [{ type: 'function', function: FUNCTION }];
const parsed = (value) => (typeof value === 'string' ? JSON.parse(value) : value);
const whole = async (body) => (await client.chat.complete(body)).choices[0].message;

async function loop(model) {
  const messages = [user(TOOL_QUESTION)];
  for (;;) {
    const message = await whole({ model, messages, tools });
    messages.push(message);
    if (!message.toolCalls?.length) return messages;
    for (const call of message.toolCalls) {
      const content = getWeather(parsed(call.function.arguments));
      messages.push({ role: 'tool', name: call.function.name, toolCallId: call.id, content });
    }
  }
}

async function deltas(body) {
  const found = [];
  for await (const { data } of await client.chat.stream(body)) found.push(...data.choices.map(({ delta }) => delta));
  return found;
}

await probe({
  chat: (model) => runPage('mistralai.md', model),
  stream: async (model) => (await deltas({ model, messages: [user(QUESTION)] })).map((delta) => delta.content ?? ''),
  tools: async (model) => {
    const found = await deltas({ model, messages: [user(TOOL_QUESTION)], tools });
    const calls = found.flatMap((delta) => delta.toolCalls ?? []);
    const written = calls.map((call) => call.function.arguments).join('');
    return [(await loop(model)).at(-1).content, getWeather(parsed(written))];
  },
  schema: async (model) => {
    const responseFormat = z.object({ city: z.string(), population: z.number() });
    const reply = await client.chat.parse({ model, messages: [user(SCHEMA_QUESTION)], responseFormat });
    return reply.choices[0].message.parsed;
  },
  second_turn: async (model) =>
    (await whole({ model, messages: [...(await loop(model)), user(NEXT_QUESTION)] })).content,
  embed: async (model) => (await client.embeddings.create({ model, inputs: ['Paris'] })).data[0].embedding,
});
