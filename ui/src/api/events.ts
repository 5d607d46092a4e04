// Generated from schema/ and errors.py by `python -m eclair.server.typescript`; do not edit.

export type Role = "system" | "user" | "assistant";
export type PartKind = "text" | "reasoning" | "tool_call" | "tool_result" | "picture";
export type Status = "running" | "waiting" | "finished" | "stopped" | "interrupted" | "failed";
export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter";
export type StepKind = "load" | "read" | "search" | "ask" | "fetch" | "draw" | "wait" | "prompt" | "skill";
export type StepOutcome = "done" | "nothing" | "late" | "refused" | "failed" | "wall";
export type CallAccess = "compute" | "read" | "outbound" | "write";
export type CallDecision = "once" | "conversation" | "always" | "declined" | "never";
export type CallOutcome = "done" | "failed" | "late" | "declined" | "stopped" | "unknown";
export type CallFaultCode = "unknown_tool" | "bad_arguments" | "call_limit" | "call_closed" | "nobody_asked" | "repeated" | "late" | "page_unread" | "web_unreachable" | "text_not_unique" | "no_picture" | "memory_refused";
export type NoticeCode = "history_trimmed" | "routed_short" | "routed_long" | "routed_code" | "routed_numbers" | "routed_hard" | "not_saved" | "saved" | "answered_by" | "language" | "partly_read" | "steps_limited" | "time_limited" | "cost_limited" | "calls_repeated" | "skimmed" | "unread" | "nothing_found" | "not_seen" | "picture_offer" | "left_out" | "web_auto" | "web_off" | "web_shut" | "web_late" | "web_unreachable" | "web_unread" | "from_memory" | "web_refused" | "stale" | "contradicted" | "superseded" | "prohibited_use" | "high_risk_use" | "budget_low" | "memory_refused" | "memory_not_kept";
export type ChangeKind = "changed" | "removed" | "running" | "finished" | "models" | "files" | "feeds" | "projects" | "canvases" | "prompts" | "announcements" | "memories" | "schedules" | "assistants" | "skills" | "presence";
export type NameKind = "title" | "tag" | "file" | "library";
export type Mode = "flash" | "auto" | "think";
export type Web = "off" | "auto" | "on";
export type EnergyKind = "measured" | "estimated";
export type AgentEnding = "done" | "rounds" | "tokens" | "time" | "repeated" | "enough" | "stopped" | "failed";
export type ElicitationAction = "accept" | "decline" | "cancel";
export type FieldKind = "text" | "number" | "integer" | "boolean" | "choice" | "choices";
export type TextFormat = "email" | "uri" | "date" | "date-time";
/** What an error or a failed answer can be called. */
export type ErrorCode =
  | "error"
  | "invalid_request"
  | "invalid_input"
  | "no_clip_art"
  | "unauthorized"
  | "wrong_credentials"
  | "passkey_refused"
  | "second_factor_needed"
  | "forbidden"
  | "prohibited_use"
  | "role_missing"
  | "right_missing"
  | "account_locked"
  | "not_invited"
  | "sign_in_denied"
  | "not_admitted"
  | "temporary_only"
  | "refused"
  | "not_found"
  | "no_model"
  | "sign_in_expired"
  | "method_not_allowed"
  | "conflict"
  | "email_shared"
  | "legal_hold"
  | "license_not_accepted"
  | "gone"
  | "too_large"
  | "unreadable_file"
  | "too_busy"
  | "budget_exceeded"
  | "setup"
  | "settings"
  | "identity_setup"
  | "port_in_use"
  | "ability_missing"
  | "engine_missing"
  | "model_missing"
  | "speech_part_missing"
  | "recognizer_missing"
  | "image_model_missing"
  | "download_interrupted"
  | "download_wrong"
  | "store"
  | "damaged"
  | "upstream"
  | "engine_refused"
  | "context_length_exceeded"
  | "key_refused"
  | "model_too_large"
  | "engine_busy"
  | "engine_unavailable"
  | "engine_broken"
  | "identity_unavailable"
  | "identity_unverified"
  | "draining";

/** One part of a message.
 *
 * `text` is the words of a `text` or `reasoning` part, the JSON arguments of a `tool_call`, the text that the model
 * was given as a `tool_result`, or the prompt of a `picture`. `id` and `name` are those of the tool call and its tool,
 * or of the picture and the model that made it. `round` counts the results that the model was given before, from 0.
 */
export interface Part {
  readonly kind: PartKind;
  readonly text: string;
  readonly id: string | null;
  readonly name: string | null;
  readonly round: number;
}

/** The electricity used by an answer: measured by the machine, or estimated from known figures. */
export interface Energy {
  readonly joules: number;
  readonly kind: EnergyKind;
}

/** Money in millionths of a unit of `currency`, which is an ISO 4217 code. */
export interface Cost {
  readonly micros: number;
  readonly currency: string;
}

/** The cost and the speed of an answer.
 *
 * Tokens are the engine's own count, or None if it gives none. `first_word_ms` runs from the moment the turn was
 * accepted to its first word. `words` are counted between white space; `words_per_second` is over the time from the
 * first word to the last, None for fewer than two words or a time too short to measure. `seconds` run from the moment
 * the turn was accepted to its end. Energy and cost are None if unknown. `drafted_tokens` were drafted ahead of the
 * model, and `accepted_tokens` of them were kept. `watermarked_tokens` were written with the watermark of texts; None
 * if it is off for the answer.
 */
export interface Usage {
  readonly prompt_tokens: number | null;
  readonly cached_tokens: number | null;
  readonly completion_tokens: number | null;
  readonly first_word_ms: number | null;
  readonly words: number;
  readonly words_per_second: number | null;
  readonly seconds: number | null;
  readonly energy: Energy | null;
  readonly cost: Cost | null;
  readonly drafted_tokens: number | null;
  readonly accepted_tokens: number | null;
  readonly watermarked_tokens: number | null;
}

/** Why an answer or a call failed: a code for programs, a sentence for people. */
export interface Fault {
  readonly code: string;
  readonly message: string;
}

/** Several models answer a question side by side: the ids of their `answers`, in the order in which they are shown.
 *
 * With `blind`, their names are hidden until the person has `kept` one, at millisecond `decided`.
 */
export interface AnswerComparison {
  readonly answers: readonly string[];
  readonly blind: boolean;
  readonly kept: string | null;
  readonly decided: number | null;
}

/** A person's verdict on an answer, given at millisecond `created`; `comment` may be empty. */
export interface Rating {
  readonly value: "up" | "down";
  readonly comment: string;
  readonly created: number;
  readonly reason: "wrong" | "instructions" | "incomplete" | "sources" | "style" | null;
}

/** Something the person should know about an answer, such as that old turns were left out.
 *
 * `language` is the code of the language it is about, if any.
 */
export interface AnswerNotice {
  readonly code: NoticeCode;
  readonly message: string;
  readonly language: string | null;
}

/** A step on the way to an answer, such as loading a model, reading a document or searching.
 *
 * The title of `ask` is the name of the search service, that of `fetch` the address of the page; their `outcome` says
 * how the step ended, and `count` how much was found. The `step` of `draw` is the id of the future image.
 * `milliseconds` is None until it is done, or if the answer ended first. Until then, `done` of `of` pieces are done,
 * if known, it takes about `seconds_left` more, and `preview` counts the previews of an image in progress; None if the
 * backend has none.
 */
export interface Step {
  readonly step: string;
  readonly kind: StepKind;
  readonly title: string;
  readonly milliseconds: number | null;
  readonly outcome: StepOutcome | null;
  readonly count: number | null;
  readonly done: number | null;
  readonly of: number | null;
  readonly preview: number | null;
  readonly seconds_left: number | null;
}

export interface FieldOption {
  readonly value: string;
  readonly title: string;
}

/** A field of a form. `minimum` and `maximum` bound a number, or count characters or choices.
 *
 * `default` has one text, `true` or `false` for a boolean, and several for choices; it is empty if there is none.
 */
export interface ElicitationField {
  readonly name: string;
  readonly kind: FieldKind;
  readonly title: string;
  readonly description: string;
  readonly is_required: boolean;
  readonly format: TextFormat | null;
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly default: readonly string[];
  readonly options: readonly FieldOption[];
}

/** A question, by its `number` in the call from 1, in the words of the `server`.
 *
 * It asks the person to fill in `fields`, or to visit `url`. Without an `action` it is open.
 */
export interface Elicitation {
  readonly number: number;
  readonly server: string;
  readonly message: string;
  readonly fields: readonly ElicitationField[];
  readonly url: string | null;
  readonly action: ElicitationAction | null;
}

/** Progress of a call: the `share` that is done, from 0 to 1, if its server knows, and what it does, or "".
 *
 * Of code, `text` is the last lines that it has printed.
 */
export interface CallProgress {
  readonly share: number | null;
  readonly text: string;
}

/** A call of one of our tools; its arguments and result are the parts with its id.
 *
 * `access` says what it may do, and `summary` is a sentence for people. With `needs_approval` it waits for the
 * `decision` of a person, `decided_by`. One for more than this call covers the `scope`, such as a host, or all calls
 * of the tool if that is empty; with `once_only` none can be given, as foreign text may have led to the call. Once
 * `has_begun`, it may have had an effect. Without an `outcome` it isn't known to have ended. `sent_bytes` left this
 * machine, and it brought the `passages` of these numbers. With an `agent` that sub-agent made it, and no other model
 * is shown it. In its middle the server that it calls asked the `elicitations`. `progress` is the last that the server
 * told, until the call has ended. `fault` says why it failed or was not made, in words for people; None where its
 * result says it, as of code and of MCP servers.
 */
export interface Call {
  readonly call: string;
  readonly tool: string;
  readonly access: CallAccess;
  readonly summary: string;
  readonly needs_approval: boolean;
  readonly scope: string;
  readonly decision: CallDecision | null;
  readonly decided_by: string | null;
  readonly has_begun: boolean;
  readonly outcome: CallOutcome | null;
  readonly milliseconds: number | null;
  readonly sent_bytes: number;
  readonly passages: readonly number[];
  readonly agent: string | null;
  readonly elicitations: readonly Elicitation[];
  readonly once_only: boolean;
  readonly progress: CallProgress | null;
  readonly fault: Fault | null;
}

/** A file attached to a message. `media` is its type (RFC 6838). */
export interface Attachment {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly media: string;
}

/** A library that a message asked to search, by its name at that time. */
export interface LibraryName {
  readonly id: string;
  readonly name: string;
}

/** The start of page `page`, labeled `label` as in `Passage`: character `start`. */
export interface PageBreak {
  readonly page: number;
  readonly label: string | null;
  readonly start: number;
}

/** A sentence noted on a section.
 *
 * It rests on characters `start` to `end` of the document `file`, in the passage that starts at `passage_start`.
 */
export interface SectionNote {
  readonly text: string;
  readonly file: string;
  readonly passage_start: number;
  readonly start: number;
  readonly end: number;
}

/** A piece of text that an answer may cite: characters `start` to `end` of the document `file`.
 *
 * It is cited by `number`, from 1, which never changes in a run. It begins on `page`, from 1; `label` is the page's
 * own name (`xii`, a sheet's name), None for its number, and empty if the text has no pages. Further pages begin in it
 * at `breaks`. `heading` is the path of headings above it, and `member` the file of an archive that it is in. For a
 * web page, `file` is the stored copy, `name` its title, `url` its address and `published` its day (ISO 8601), if
 * known. With a `computation`, its text is what the program computed in that way from those characters.
 */
export interface Passage {
  readonly number: number;
  readonly file: string;
  readonly name: string;
  readonly page: number;
  readonly label: string | null;
  readonly heading: readonly string[];
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly member: string | null;
  readonly url: string | null;
  readonly published: string | null;
  readonly breaks: readonly PageBreak[];
  readonly computation: string | null;
}

/** Characters `start` to `end` of an answer's part `index` rest on the `quote` from passage `passage`.
 *
 * The quote is characters `quote_start` to `quote_end` of the document, word for word. It begins on `page`, labeled
 * `label`; both are None if the text has no pages. `support` from 0 to 1 says how well it supports them. `computation`
 * is how the program computed the figure from the quote, such as `2.60 + 3.85 = 6.45`; None if the quote states it.
 */
export interface Citation {
  readonly index: number;
  readonly start: number;
  readonly end: number;
  readonly passage: number;
  readonly quote: string;
  readonly quote_start: number;
  readonly quote_end: number;
  readonly support: number;
  readonly page: number | null;
  readonly label: string | null;
  readonly computation: string | null;
}

/** No passage supports characters `start` to `end` of an answer's part `index`.
 *
 * `about` is the part that differs from the nearest passage, `passage`, such as a number; it may be empty.
 */
export interface Doubt {
  readonly index: number;
  readonly start: number;
  readonly end: number;
  readonly about: string;
  readonly passage: number | null;
}

/** The figures in characters `start` to `end` of an answer's part `index` are those in a `line` that `call` gave. */
export interface ComputedFigure {
  readonly index: number;
  readonly start: number;
  readonly end: number;
  readonly call: string;
  readonly line: string;
}

/** Rounds in which a model calls tools, tokens that it reads and writes, and seconds: allowed, or spent.
 *
 * A sub-agent that asks no model has no tokens.
 */
export interface AgentBudget {
  readonly rounds: number;
  readonly tokens: number;
  readonly seconds: number;
}

/** A short finding, and the numbers of the passages that it rests on. */
export interface ReadingNote {
  readonly text: string;
  readonly passages: readonly number[];
}

/** A sub-agent. `agent` is also the step that has its question as the title.
 *
 * With `is_further` the question was added after the plan's had been looked into. Without an `ending` it isn't known
 * to have ended: `done`, or it came to the end of its budget (`rounds`, `tokens`, `time`), called for the same again
 * and again (`repeated`), was cut short with all others (`enough`) or by itself (`stopped`), or `failed`, for which
 * the `fault` is a sentence. It brought the `passages` of these numbers, the best first.
 */
export interface SubAgent {
  readonly agent: string;
  readonly budget: AgentBudget;
  readonly is_further: boolean;
  readonly spent: AgentBudget;
  readonly ending: AgentEnding | null;
  readonly notes: readonly ReadingNote[];
  readonly passages: readonly number[];
  readonly fault: string | null;
}

/** Options for generating images; None leaves a choice to the model. Sizes are in pixels.
 *
 * `count` images are generated, with seeds from `seed` on. `style` is the name of a style, and `negative` names what
 * must not be seen. `sources` are ids of images and files to edit; the first is changed by `strength`, between 0 and
 * 1, and where there is a `mask`, an id too, only where that is transparent.
 */
export interface ImageRequest {
  readonly count: number;
  readonly width: number | null;
  readonly height: number | null;
  readonly seed: number | null;
  readonly steps: number | null;
  readonly guidance: number | null;
  readonly style: string | null;
  readonly negative: string;
  readonly sources: readonly string[];
  readonly mask: string | null;
  readonly strength: number | null;
}

/** One message of a conversation. Times are milliseconds since 1970, UTC.
 *
 * An assistant's message is the fold of its run's events. Only it has `run`, `model` and the fields after them, except
 * `files` and `libraries`, which belong to a person's message, and `wish`, to one that asks for images. `passages` are
 * those that the answer could rest on, and `calls` those of tools. A finished answer may have a `rating`. The model
 * was shown the `used_memories`, and the `kept_memories` were kept on the way; both are ids, since erasing a memory
 * leaves nothing of it. A question that several models answer side by side has a `comparison`. `computed_figures` say
 * which sentences have their figures from calculations. The `agents` looked into the questions of a research.
 */
export interface Message {
  readonly id: string;
  readonly conversation: string;
  readonly parent: string | null;
  readonly role: Role;
  readonly parts: readonly Part[];
  readonly created: number;
  readonly status: Status;
  readonly run: string | null;
  readonly model: string | null;
  readonly finish_reason: FinishReason | null;
  readonly usage: Usage | null;
  readonly fault: Fault | null;
  readonly remarks: readonly AnswerNotice[];
  readonly steps: readonly Step[];
  readonly files: readonly Attachment[];
  readonly libraries: readonly LibraryName[];
  readonly passages: readonly Passage[];
  readonly citations: readonly Citation[];
  readonly doubts: readonly Doubt[];
  readonly wish: ImageRequest | null;
  readonly rating: Rating | null;
  readonly calls: readonly Call[];
  readonly used_memories: readonly string[];
  readonly kept_memories: readonly string[];
  readonly comparison: AnswerComparison | null;
  readonly computed_figures: readonly ComputedFigure[];
  readonly agents: readonly SubAgent[];
}

/** A conversation without its messages.
 *
 * `leaf` is the last message of the displayed branch. The fields from `model` to `system` are the person's choices for
 * its answers, None for the defaults; `system` replaces the system prompt.
 * `branched_from` is the id of the conversation whose thread it was begun with, if any.
 * `project_id` is the project that it is in, `assistant_id` the assistant with which it was begun. `memory` says if
 * its answers may use and keep memories; None leaves that to the person's preferences. `unread` says that an answer
 * came while nobody looked.
 */
export interface Conversation {
  readonly id: string;
  readonly owner: string;
  readonly title: string;
  readonly created: number;
  readonly updated: number;
  readonly leaf: string | null;
  readonly pinned: boolean;
  readonly archived: boolean;
  readonly tags: readonly string[];
  readonly model: string | null;
  readonly mode: Mode | null;
  readonly web: Web | null;
  readonly temperature: number | null;
  readonly max_tokens: number | null;
  readonly system: string | null;
  readonly branched_from: string | null;
  readonly project_id: string | null;
  readonly memory: "off" | "on" | null;
  readonly unread: boolean;
  readonly assistant_id: string | null;
}

/** A message found by a search. In `excerpt`, matches stand between U+E000 and U+E001. */
export interface Hit {
  readonly conversation: string;
  readonly title: string;
  readonly message: string;
  readonly role: Role;
  readonly created: number;
  readonly excerpt: string;
}

/** A passage of a file found by a search. In `excerpt`, matches stand between U+E000 and U+E001.
 *
 * It begins on page `page`, which its document may call by a `label`, and is characters `start` to `end` of the text.
 */
export interface PassageHit {
  readonly file: string;
  readonly name: string;
  readonly page: number;
  readonly label: string | null;
  readonly start: number;
  readonly end: number;
  readonly excerpt: string;
}

/** A name found by a search: a conversation's title or tag, a file or a library.
 *
 * A title or tag has `conversation` and its `title`; a library has `library`, its id. A file has the `library` that
 * holds it, with that one's name as `title`, or else the `conversation` and `message` that it is attached to.
 */
export interface NameHit {
  readonly kind: NameKind;
  readonly name: string;
  readonly conversation: string | null;
  readonly title: string;
  readonly message: string | null;
  readonly library: string | null;
}

/** A change of a conversation: it was changed or removed, or an answer in it began or ended.
 *
 * Without `conversation`, any may have changed: read everything again. Changes of models, files and feeds belong to no
 * conversation. `presence` is told to those who have the conversation open: who else has was changed.
 */
export interface Change {
  readonly conversation: string | null;
  readonly kind: ChangeKind;
}

/** Opens a run. `message` is the answer's id, `parent` the message that it answers. */
export interface RunStarted {
  readonly run: string;
  readonly message: string;
  readonly conversation: string;
  readonly parent: string | null;
  readonly model: string;
  readonly created: number;
  readonly continues: string | null;
  readonly seq: number;
  readonly type: "run.started";
}

/** Another model answers instead of the one asked; comes before its first word. */
export interface ModelChanged {
  readonly model: string;
  readonly seq: number;
  readonly type: "model.changed";
}

/** A step has begun, such as loading a model. `title` is for people. */
export interface StepStarted {
  readonly step: string;
  readonly kind: StepKind;
  readonly title: string;
  readonly seq: number;
  readonly type: "step.started";
}

/** A step has `done` of its `of` pieces, and takes about `seconds_left` more, if known.
 *
 * `preview` counts the previews of an image in progress; None if the backend has none.
 */
export interface StepProgressed {
  readonly step: string;
  readonly done: number;
  readonly of: number;
  readonly preview: number | null;
  readonly seconds_left: number | null;
  readonly seq: number;
  readonly type: "step.progressed";
}

/** See `Step`. */
export interface StepFinished {
  readonly step: string;
  readonly milliseconds: number;
  readonly outcome: StepOutcome | null;
  readonly count: number | null;
  readonly seq: number;
  readonly type: "step.finished";
}

/** The model has noted `notes` on a section of a long document; `key` names what it was shown.
 *
 * Whoever resumes the answer takes them from here. `section_chars` and `digest_chars` say how the document was split:
 * the length of a section, and that of the key sentences of all; None if all of the text is read.
 */
export interface SectionRead {
  readonly key: string;
  readonly notes: readonly SectionNote[];
  readonly section_chars: number;
  readonly digest_chars: number | null;
  readonly seq: number;
  readonly type: "section.read";
}

/** A passage that the answer can cite; comes before its first word. */
export interface SourceFound {
  readonly passage: Passage;
  readonly seq: number;
  readonly type: "source.found";
}

/** Opens part `index`; a tool call's `id` and `name` are known from here on. `round` is None in the first. */
export interface PartStarted {
  readonly index: number;
  readonly kind: PartKind;
  readonly id: string | null;
  readonly name: string | null;
  readonly round: number | null;
  readonly seq: number;
  readonly type: "part.started";
}

export interface PartDelta {
  readonly index: number;
  readonly text: string;
  readonly seq: number;
  readonly type: "part.delta";
}

export interface PartFinished {
  readonly index: number;
  readonly seq: number;
  readonly type: "part.finished";
}

/** A sentence of the answer rests on a passage; comes once the sentence is finished. */
export interface Cited {
  readonly citation: Citation;
  readonly seq: number;
  readonly type: "citation";
}

/** A sentence of the answer is supported by nothing at hand. */
export interface Doubted {
  readonly doubt: Doubt;
  readonly seq: number;
  readonly type: "doubt";
}

/** The figures of a sentence are those that a calculation of the same answer gave. */
export interface FigureComputed {
  readonly figure: ComputedFigure;
  readonly seq: number;
  readonly type: "figure.computed";
}

/** A model has called one of our tools; see `Call`. Its arguments are the part of the same id. */
export interface CallAsked {
  readonly call: string;
  readonly tool: string;
  readonly access: CallAccess;
  readonly summary: string;
  readonly needs_approval: boolean;
  readonly scope: string;
  readonly agent: string | null;
  readonly once_only: boolean;
  readonly seq: number;
  readonly type: "call.asked";
}

/** A person allowed or declined a call; `by` is their id, None for nobody in time. */
export interface CallDecided {
  readonly call: string;
  readonly decision: CallDecision;
  readonly by: string | null;
  readonly seq: number;
  readonly type: "call.decided";
}

/** A call is about to be made; stored before it has any effect. */
export interface CallBegan {
  readonly call: string;
  readonly seq: number;
  readonly type: "call.began";
}

/** The server of a call tells how far it is, or code what it has printed; the last of these counts. */
export interface CallProgressed {
  readonly call: string;
  readonly progress: CallProgress;
  readonly seq: number;
  readonly type: "call.progressed";
}

/** The server of a call asks the person something, in the middle of it. */
export interface CallElicited {
  readonly call: string;
  readonly elicitation: Elicitation;
  readonly seq: number;
  readonly type: "call.elicited";
}

/** The server of a call got the person's answer to question `number`, which the log doesn't have. */
export interface CallAnswered {
  readonly call: string;
  readonly number: number;
  readonly action: ElicitationAction;
  readonly seq: number;
  readonly type: "call.answered";
}

/** A call has ended, or will not be made; see `Call`. */
export interface CallEnded {
  readonly call: string;
  readonly outcome: CallOutcome;
  readonly milliseconds: number;
  readonly sent_bytes: number;
  readonly passages: readonly number[];
  readonly fault: Fault | null;
  readonly seq: number;
  readonly type: "call.ended";
}

/** A sub-agent looks into the question of the step of the same name; see `SubAgent`. */
export interface AgentBegan {
  readonly agent: string;
  readonly budget: AgentBudget;
  readonly is_further: boolean;
  readonly seq: number;
  readonly type: "agent.began";
}

/** A sub-agent has spent so much of its budget by now. */
export interface AgentSpent {
  readonly agent: string;
  readonly spent: AgentBudget;
  readonly seq: number;
  readonly type: "agent.spent";
}

/** A sub-agent has ended, with its notes; the passages came before. */
export interface AgentEnded {
  readonly agent: string;
  readonly ending: AgentEnding;
  readonly notes: readonly ReadingNote[];
  readonly passages: readonly number[];
  readonly fault: string | null;
  readonly seq: number;
  readonly type: "agent.ended";
}

/** Something the person should know about this answer; see `AnswerNotice`.
 *
 * `saved` takes back `not_saved`, and so does the end of the run, which comes once it is stored.
 */
export interface Notice {
  readonly code: NoticeCode;
  readonly message: string;
  readonly language: string | null;
  readonly seq: number;
  readonly type: "remark";
}

/** The model is shown these memories; comes before the first word, and not at all without any. */
export interface MemoriesUsed {
  readonly memories: readonly string[];
  readonly seq: number;
  readonly type: "memories.used";
}

/** A memory was kept. Its text isn't in the log, so that erasing it leaves nothing of it. */
export interface MemoryKept {
  readonly memory: string;
  readonly seq: number;
  readonly type: "memory.kept";
}

/** The cost and the speed of the answer; see `Usage`. */
export interface UsageCounted {
  readonly usage: Usage;
  readonly seq: number;
  readonly type: "usage";
}

/** The run waits for a person's decision on its calls, and no process works on it. */
export interface RunWaiting {
  readonly seq: number;
  readonly type: "run.waiting";
}

/** A process works on the run again. */
export interface RunResumed {
  readonly seq: number;
  readonly type: "run.resumed";
}

export interface RunFinished {
  readonly reason: FinishReason;
  readonly seq: number;
  readonly type: "run.finished";
}

/** The person stopped it. */
export interface RunStopped {
  readonly seq: number;
  readonly type: "run.stopped";
}

/** The process that wrote the answer died; its text up to there is kept. */
export interface RunInterrupted {
  readonly seq: number;
  readonly type: "run.interrupted";
}

export interface RunFailed {
  readonly code: string;
  readonly message: string;
  readonly seq: number;
  readonly type: "run.failed";
}

export type Event =
  | RunStarted
  | ModelChanged
  | StepStarted
  | StepProgressed
  | StepFinished
  | SectionRead
  | SourceFound
  | PartStarted
  | PartDelta
  | PartFinished
  | Cited
  | Doubted
  | FigureComputed
  | CallAsked
  | CallDecided
  | CallBegan
  | CallProgressed
  | CallElicited
  | CallAnswered
  | CallEnded
  | AgentBegan
  | AgentSpent
  | AgentEnded
  | Notice
  | MemoriesUsed
  | MemoryKept
  | UsageCounted
  | RunWaiting
  | RunResumed
  | RunFinished
  | RunStopped
  | RunInterrupted
  | RunFailed;

/** The types of a run's last event. */
export const END: ReadonlySet<string> = new Set(["run.finished", "run.stopped", "run.interrupted", "run.failed"]);
