-- budgets, what is used and reserved of them in each period, and the calls that hold reservations; money is in
-- millionths, energy in millijoules, a rate in millionths for each token of an answer
CREATE TABLE budget (
    id       TEXT PRIMARY KEY,
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    unit     TEXT NOT NULL,
    currency TEXT NOT NULL,
    period   TEXT NOT NULL,
    amount   INTEGER NOT NULL,
    each     INTEGER NOT NULL,
    soft     INTEGER,
    hard     INTEGER NOT NULL,
    UNIQUE (kind, subject, unit, currency, period, each)
) STRICT;
CREATE TABLE budget_use (
    budget   TEXT NOT NULL,
    holder   TEXT NOT NULL,
    start    TEXT NOT NULL,
    used     INTEGER NOT NULL DEFAULT 0,
    reserved INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (budget, holder, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE reservation (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    process TEXT NOT NULL,
    run     TEXT
) STRICT;
CREATE INDEX reservation_of_process ON reservation (process);
CREATE TABLE reserved_part (
    reservation TEXT NOT NULL REFERENCES reservation ON DELETE CASCADE,
    budget      TEXT NOT NULL,
    holder      TEXT NOT NULL,
    start       TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    base        INTEGER NOT NULL,
    rate        INTEGER NOT NULL,
    PRIMARY KEY (reservation, budget)
) STRICT, WITHOUT ROWID;

-- the models that a key may ask, as a JSON list, none for all; and its limits
ALTER TABLE api_key ADD COLUMN models TEXT NOT NULL DEFAULT '[]';
ALTER TABLE api_key ADD COLUMN per_minute INTEGER;
ALTER TABLE api_key ADD COLUMN at_once INTEGER;
