-- who has which conversation open at which process; it counts while that process lives
-- Not logged: no backup or standby has it, and after a failover each process notes its people again.
CREATE UNLOGGED TABLE presence (
    process text COLLATE "C" NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    PRIMARY KEY (process, conversation, person)
);
CREATE INDEX presence_in_conversation ON presence (conversation);
