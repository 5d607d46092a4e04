-- what is asked of the process that writes a run: that it, or a sub-agent of it, be finished with what it has read so
-- far; the name of the whole run's is empty
CREATE TABLE finish_request (
    run   text COLLATE "C" NOT NULL REFERENCES run ON DELETE CASCADE,
    agent text COLLATE "C" NOT NULL,
    PRIMARY KEY (run, agent)
);
