// ollama for JavaScript.
import { Ollama } from 'ollama';
import { CITY, FUNCTION, NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, URL_ } from './probe.mjs';
import { getWeather, probe, runPage, user } from './probe.mjs';

const client = new Ollama({ host: URL_ });
const tools = [{ type: 'function', function: FUNCTION }];

async function loop(model) {
  const messages = [user(TOOL_QUESTION)];
  for (;;) {
    const { message } = await client.chat({ model, messages, tools });
    messages.push(message);
    if (!message.tool_calls?.length) return messages;
    for (const { function: called } of message.tool_calls) {
      messages.push({ role: 'tool', tool_name: called.name, content: getWeather(called.arguments) });
    }
  }
}

await probe({
  chat: (model) => runPage('ollama.md', model),
  stream: async (model) => {
    const pieces = [];
    for await (const { message } of await client.chat({ model, messages: [user(QUESTION)], stream: true })) {
      pieces.push(message.content);
    }
    return pieces;
  },
  tools: async (model) => (await loop(model)).at(-1).content,
  schema: async (model) => {
    const reply = await client.chat({ model, messages: [user(SCHEMA_QUESTION)], format: CITY });
    return JSON.parse(reply.message.content);
  },
  second_turn: async (model) => {
    const messages = [...(await loop(model)), user(NEXT_QUESTION)];
    return (await client.chat({ model, messages })).message.content;
  },
  embed: async (model) => (await client.embed({ model, input: 'Paris' })).embeddings[0],
});
