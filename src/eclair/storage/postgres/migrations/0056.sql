-- questions that servers ask in the middle of calls, and their answers until those are taken
CREATE TABLE elicitation (
    run     text COLLATE "C" NOT NULL REFERENCES run ON DELETE CASCADE,
    call    text COLLATE "C" NOT NULL,
    number  bigint NOT NULL,
    key     text COLLATE "C" NOT NULL,
    state   text COLLATE "C",
    action  text COLLATE "C",
    content text COLLATE "C",
    PRIMARY KEY (run, call, number)
);
