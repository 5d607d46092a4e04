// LangChain for JavaScript: ChatOpenAI, and its embeddings.
import { HumanMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { z } from 'zod';
import { NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, V1 } from './probe.mjs';
import { getWeather, probe, runPage } from './probe.mjs';

const configuration = { baseURL: V1 };
const build = (model) => new ChatOpenAI({ model, apiKey: 'none', configuration, maxRetries: 0 });
const schema = z.object({ city: z.string() });
const weather = tool(getWeather, { name: 'get_weather', description: 'Tell how warm it is.', schema });

async function loop(model) {
  const messages = [new HumanMessage(TOOL_QUESTION)];
  for (;;) {
    const message = await build(model).bindTools([weather]).invoke(messages);
    messages.push(message);
    if (!message.tool_calls?.length) return messages;
    for (const call of message.tool_calls) messages.push(await weather.invoke(call));
  }
}

await probe({
  chat: (model) => runPage('langchain.md', model),
  stream: async (model) => {
    const pieces = [];
    for await (const chunk of await build(model).stream(QUESTION)) pieces.push(chunk.text);
    return pieces;
  },
  tools: async (model) => (await loop(model)).at(-1).text,
  schema: async (model) => {
    const city = z.object({ city: z.string(), population: z.number().int() });
    return await build(model).withStructuredOutput(city).invoke(SCHEMA_QUESTION);
  },
  second_turn: async (model) =>
    (await build(model).invoke([...(await loop(model)), new HumanMessage(NEXT_QUESTION)])).text,
  embed: async (model) =>
    await new OpenAIEmbeddings({ model, apiKey: 'none', configuration, maxRetries: 0 }).embedQuery('Paris'),
});
