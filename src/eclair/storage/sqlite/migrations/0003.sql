-- what was used, summed for each day and model: no text, no ids of conversations; `currency` is '' without a price
CREATE TABLE spent (
    owner             TEXT NOT NULL,
    day               TEXT NOT NULL,
    model             TEXT NOT NULL,
    currency          TEXT NOT NULL,
    answers           INTEGER NOT NULL,
    words             INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    milliseconds      INTEGER NOT NULL,
    metered           INTEGER NOT NULL,
    measured_mj       INTEGER NOT NULL,
    estimated_mj      INTEGER NOT NULL,
    micros            INTEGER NOT NULL,
    PRIMARY KEY (owner, day, model, currency)
) STRICT, WITHOUT ROWID;

INSERT INTO spent
SELECT conversation.owner, date(message.body ->> 'created' / 1000.0, 'unixepoch', 'localtime'), message.body ->> 'model', '',
    count(*), sum(coalesce(message.body ->> '$.usage.words', 0)),
    sum(coalesce(message.body ->> '$.usage.prompt_tokens', 0)), sum(coalesce(message.body ->> '$.usage.cached_tokens', 0)),
    sum(coalesce(message.body ->> '$.usage.completion_tokens', 0)), 0, 0, 0, 0, 0
FROM message JOIN run ON run.message = message.id JOIN conversation ON conversation.id = message.conversation
WHERE run.status <> 'running'
GROUP BY 1, 2, 3;
