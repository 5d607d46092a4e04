// @anthropic-ai/sdk; thinking is asked for, and the blocks go back as they came.
import Anthropic from '@anthropic-ai/sdk';
import { CITY, FUNCTION, NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, URL_ } from './probe.mjs';
import { getWeather, probe, runPage, user } from './probe.mjs';

const client = new Anthropic({ baseURL: URL_, apiKey: 'none', maxRetries: 0 });
const common = { max_tokens: 4096, thinking: { type: 'enabled', budget_tokens: 1024 } };
const { parameters, ...named } = FUNCTION;
const tools = [{ ...named, input_schema: parameters }];
const text = (reply) => reply.content.map((part) => (part.type === 'text' ? part.text : '')).join('');

const whole = (body) => client.messages.create({ ...body, ...common });
const streamed = (body) => client.messages.stream({ ...body, ...common }).finalMessage();

async function loop(model, ask) {
  const messages = [user(TOOL_QUESTION)];
  for (;;) {
    const reply = await ask({ model, messages, tools });
    messages.push({ role: 'assistant', content: reply.content });
    const calls = reply.content.filter((part) => part.type === 'tool_use');
    if (!calls.length) return { messages, reply };
    messages.push(
      user(calls.map(({ id, input }) => ({ type: 'tool_result', tool_use_id: id, content: getWeather(input) }))),
    );
  }
}

await probe({
  chat: (model) => runPage('anthropic.md', model),
  stream: async (model) => {
    const pieces = [];
    const stream = client.messages.stream({ model, messages: [user(QUESTION)], ...common });
    stream.on('text', (piece) => pieces.push(piece));
    await stream.finalMessage();
    return pieces;
  },
  tools: async (model) => [text((await loop(model, whole)).reply), text((await loop(model, streamed)).reply)],
  schema: async (model) => {
    const output_config = { format: { type: 'json_schema', schema: CITY } };
    const body = { model, messages: [user(SCHEMA_QUESTION)], max_tokens: 4096, output_config };
    return JSON.parse(text(await client.messages.create(body)));
  },
  second_turn: async (model) => {
    const answers = [];
    for (const ask of [whole, streamed]) {
      const { messages } = await loop(model, ask);
      answers.push(text(await ask({ model, messages: [...messages, user(NEXT_QUESTION)] })));
    }
    return answers;
  },
  embed: "Anthropic's API has none",
});
