// openai for JavaScript, responses; the second turn by the output items and by `previous_response_id`.
import OpenAI from 'openai';
import { CITY, FUNCTION, NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, V1 } from './probe.mjs';
import { getWeather, probe, user } from './probe.mjs';

const client = new OpenAI({ baseURL: V1, apiKey: 'none', maxRetries: 0 });
const tools = [{ type: 'function', ...FUNCTION }];

async function loop(model) {
  const input = [user(TOOL_QUESTION)];
  for (;;) {
    const reply = await client.responses.create({ model, input, tools });
    input.push(...reply.output);
    const calls = reply.output.filter((item) => item.type === 'function_call');
    if (!calls.length) return { input, reply };
    for (const call of calls) {
      const output = getWeather(JSON.parse(call.arguments));
      input.push({ type: 'function_call_output', call_id: call.call_id, output });
    }
  }
}

await probe({
  chat: async (model) => (await client.responses.create({ model, input: QUESTION })).output_text,
  stream: async (model) => {
    const pieces = [];
    for await (const event of await client.responses.create({ model, input: QUESTION, stream: true })) {
      if (event.type === 'response.output_text.delta') pieces.push(event.delta);
    }
    return pieces;
  },
  tools: async (model) => (await loop(model)).reply.output_text,
  schema: async (model) => {
    const format = { type: 'json_schema', name: 'city', schema: CITY, strict: true };
    const reply = await client.responses.create({ model, input: SCHEMA_QUESTION, text: { format } });
    return JSON.parse(reply.output_text);
  },
  second_turn: async (model) => {
    const { input, reply } = await loop(model);
    const next = user(NEXT_QUESTION);
    const byItems = await client.responses.create({ model, input: [...input, next] });
    const byId = await client.responses.create({ model, input: [next], previous_response_id: reply.id });
    return [byItems.output_text, byId.output_text];
  },
});
