-- who has which conversation open at which process; it counts while that process lives
CREATE TABLE presence (
    process      TEXT NOT NULL,
    conversation TEXT NOT NULL,
    person       TEXT NOT NULL,
    PRIMARY KEY (process, conversation, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX presence_in_conversation ON presence (conversation);
