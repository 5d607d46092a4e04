-- the time by the clock of this server, whichever machine asks
CREATE FUNCTION unixepoch(modifier text) RETURNS double precision LANGUAGE sql VOLATILE STRICT AS
    $$ SELECT extract(epoch FROM clock_timestamp())::double precision $$;

-- claims of processes on background work, and attempts that failed; the work itself is in the tables of its subjects
CREATE TABLE job (
    kind     text COLLATE "C" NOT NULL,
    subject  text COLLATE "C" NOT NULL,
    process  text COLLATE "C",
    claimed  bigint NOT NULL,
    attempts bigint NOT NULL,
    due      bigint NOT NULL DEFAULT 0,
    fault    text COLLATE "C",
    PRIMARY KEY (kind, subject)
);
CREATE INDEX job_of_process ON job (process) WHERE process IS NOT NULL;

-- processes that do background work
CREATE TABLE worker (
    process text COLLATE "C" PRIMARY KEY,
    host    text COLLATE "C" NOT NULL,
    kinds   text COLLATE "C" NOT NULL,
    at_once bigint NOT NULL,
    began   bigint NOT NULL
);

ALTER TABLE document ADD COLUMN priority bigint NOT NULL DEFAULT 0;
ALTER TABLE document ADD COLUMN queued bigint NOT NULL DEFAULT 0;
UPDATE document SET queued = (unixepoch('subsec') * 1000)::bigint WHERE state IN ('queued', 'reading');
CREATE INDEX document_waiting ON document (priority DESC, number) WHERE state IN ('queued', 'reading');
