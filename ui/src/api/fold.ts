// Folds a run's events into its message, exactly as `fold` in schema/events.py does.

import type { Call, Event, Message, Part, Step, SubAgent } from "./events.ts";

/** Return the message after one more event. `message` is null before the first event, which is a run.started. */
export function fold(message: Message | null, event: Event): Message {
  if (event.type === "run.started") return startMessage(event, message?.parts ?? []);
  if (message === null) throw new Error("a run's events begin with run.started");
  switch (event.type) {
    case "model.changed":
      return { ...message, model: event.model };
    case "part.started":
      return { ...message, parts: [...message.parts, { kind: event.kind, text: "", id: event.id, name: event.name, round: event.round ?? 0 }] };
    case "part.delta":
      return { ...message, parts: appendText(message.parts, event.index, event.text) };
    case "part.finished":
    case "section.read": // for whoever resumes the answer
      return message;
    case "step.started":
      return { ...message, steps: [...message.steps, { step: event.step, kind: event.kind, title: event.title, milliseconds: null, outcome: null, count: null, done: null, of: null, preview: null, seconds_left: null }] };
    case "step.progressed":
      return { ...message, steps: message.steps.map((step) => withProgress(step, event)) };
    case "step.finished":
      return { ...message, steps: message.steps.map((step) => withResult(step, event)) };
    case "source.found":
      return { ...message, passages: [...message.passages, event.passage] };
    case "citation":
      return { ...message, citations: [...message.citations, event.citation] };
    case "doubt":
      return { ...message, doubts: [...message.doubts, event.doubt] };
    case "figure.computed":
      return { ...message, computed_figures: [...message.computed_figures, event.figure] };
    case "call.asked":
      return { ...message, calls: [...message.calls, startCall(event)] };
    case "call.decided":
      return withCall(message, event.call, { decision: event.decision, decided_by: event.by });
    case "call.began":
      return withCall(message, event.call, { has_begun: true });
    case "call.progressed":
      return withCall(message, event.call, { progress: event.progress });
    case "call.elicited":
      return changeCall(message, event.call, (call) => ({ ...call, elicitations: [...call.elicitations, event.elicitation] }));
    case "call.answered":
      return changeCall(message, event.call, (call) => ({ ...call, elicitations: call.elicitations.map((each) => (each.number === event.number ? { ...each, action: event.action } : each)) }));
    case "call.ended":
      return withCall(message, event.call, { outcome: event.outcome, milliseconds: event.milliseconds, sent_bytes: event.sent_bytes, passages: event.passages, progress: null, fault: event.fault ?? null });
    case "agent.began":
      return { ...message, agents: [...message.agents, { agent: event.agent, budget: event.budget, is_further: event.is_further, spent: { rounds: 0, tokens: 0, seconds: 0 }, ending: null, notes: [], passages: [], fault: null }] };
    case "agent.spent":
      return withAgent(message, event.agent, { spent: event.spent });
    case "agent.ended":
      return withAgent(message, event.agent, { ending: event.ending, notes: event.notes, passages: event.passages, fault: event.fault });
    case "run.waiting":
      return { ...message, status: "waiting" };
    case "run.resumed":
      return { ...message, status: "running" };
    case "remark":
      if (event.code === "saved") return asSaved(message);
      return { ...message, remarks: [...message.remarks, { code: event.code, message: event.message, language: event.language }] };
    case "memories.used":
      return { ...message, used_memories: event.memories };
    case "memory.kept":
      return { ...message, kept_memories: [...message.kept_memories, event.memory] };
    case "usage":
      return { ...message, usage: event.usage };
    case "run.finished":
      return { ...asSaved(message), status: "finished", finish_reason: event.reason };
    case "run.stopped":
      return { ...asSaved(message), status: "stopped" };
    case "run.interrupted":
      return { ...asSaved(message), status: "interrupted" };
    case "run.failed":
      return { ...asSaved(message), status: "failed", fault: { code: event.code, message: event.message } };
    default:
      return event satisfies never;
  }
}

/** The message without the notice that it is not saved yet. */
function asSaved(message: Message): Message {
  return { ...message, remarks: message.remarks.filter(({ code }) => code !== "not_saved") };
}

function startMessage(event: Extract<Event, { type: "run.started" }>, parts: readonly Part[]): Message {
  return {
    id: event.message,
    conversation: event.conversation,
    parent: event.parent,
    role: "assistant",
    parts,
    created: event.created,
    status: "running",
    run: event.run,
    model: event.model,
    finish_reason: null,
    usage: null,
    fault: null,
    remarks: [],
    steps: [],
    files: [],
    libraries: [],
    passages: [],
    citations: [],
    doubts: [],
    wish: null,
    rating: null,
    calls: [],
    used_memories: [],
    kept_memories: [],
    comparison: null,
    computed_figures: [],
    agents: [],
  };
}

function startCall({ call, tool, access, summary, needs_approval, scope, agent = null, once_only = false }: Extract<Event, { type: "call.asked" }>): Call {
  return { call, tool, access, summary, needs_approval, scope, decision: null, decided_by: null, has_begun: false, outcome: null, milliseconds: null, sent_bytes: 0, passages: [], agent, elicitations: [], once_only, progress: null, fault: null };
}

function withAgent(message: Message, name: string, change: Partial<SubAgent>): Message {
  return { ...message, agents: message.agents.map((agent) => (agent.agent === name ? { ...agent, ...change } : agent)) };
}

function withCall(message: Message, id: string, change: Partial<Call>): Message {
  return changeCall(message, id, (call) => ({ ...call, ...change }));
}

function changeCall(message: Message, id: string, change: (call: Call) => Call): Message {
  return { ...message, calls: message.calls.map((call) => (call.call === id ? change(call) : call)) };
}

function withResult(step: Step, event: Extract<Event, { type: "step.finished" }>): Step {
  return step.step === event.step && step.milliseconds === null ? { ...step, milliseconds: event.milliseconds, outcome: event.outcome, count: event.count } : step;
}

function withProgress(step: Step, event: Extract<Event, { type: "step.progressed" }>): Step {
  return step.step === event.step && step.milliseconds === null ? { ...step, done: event.done, of: event.of, preview: event.preview, seconds_left: event.seconds_left } : step;
}

function appendText(parts: readonly Part[], index: number, text: string): Part[] {
  const part = parts[index];
  if (part === undefined) throw new Error(`part ${index} has not been started`);
  const next = parts.slice();
  next[index] = { ...part, text: part.text + text };
  return next;
}

/** The visible text of a message: its text parts joined, a paragraph for each round. */
export function messageText(message: Message): string {
  const rounds = new Map<number, string>();
  for (const { kind, text, round } of message.parts) {
    if (kind === "text" && text !== "") rounds.set(round, (rounds.get(round) ?? "") + text);
  }
  return [...rounds.values()].join("\n\n");
}
