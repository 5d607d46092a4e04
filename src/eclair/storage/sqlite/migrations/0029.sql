-- people, how they sign in, their sessions and groups; times are in milliseconds, `seen` of a person is a day
CREATE TABLE person (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    email        TEXT,
    role         TEXT NOT NULL,
    created      INTEGER NOT NULL,
    locked       INTEGER,
    seen         TEXT
) STRICT;
CREATE INDEX person_by_email ON person (email) WHERE email IS NOT NULL;
CREATE INDEX person_by_role ON person (role) WHERE locked IS NULL;

-- the people whom an identity provider knows, by its own unchanging name for them
CREATE TABLE identity (
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    person  TEXT NOT NULL REFERENCES person ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_of_person ON identity (person);

CREATE TABLE password (
    person  TEXT PRIMARY KEY REFERENCES person ON DELETE CASCADE,
    hash    TEXT NOT NULL,
    changed INTEGER NOT NULL
) STRICT;

-- second factors; `secret` is encrypted, `used` the last time step whose code was taken
CREATE TABLE second_factor (
    person    TEXT PRIMARY KEY REFERENCES person ON DELETE CASCADE,
    secret    BLOB NOT NULL,
    confirmed INTEGER,
    used      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE recovery_code (
    person TEXT NOT NULL REFERENCES person ON DELETE CASCADE,
    digest BLOB NOT NULL,
    PRIMARY KEY (person, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id               TEXT PRIMARY KEY,
    person           TEXT NOT NULL REFERENCES person ON DELETE CASCADE,
    digest           BLOB NOT NULL UNIQUE,
    created          INTEGER NOT NULL,
    seen             INTEGER NOT NULL,
    expires          INTEGER NOT NULL,
    device           TEXT NOT NULL,
    address          TEXT NOT NULL,
    issuer           TEXT,
    provider_session TEXT
) STRICT;
CREATE INDEX session_of_person ON session (person, seen DESC);
CREATE INDEX session_expires ON session (expires);
CREATE INDEX session_of_provider ON session (issuer, provider_session) WHERE issuer IS NOT NULL;

CREATE TABLE person_group (
    id      TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    name    TEXT NOT NULL,
    origin  TEXT NOT NULL,
    UNIQUE (origin, name)
) STRICT;
CREATE TABLE group_member (
    person_group TEXT NOT NULL REFERENCES person_group ON DELETE CASCADE,
    person       TEXT NOT NULL REFERENCES person ON DELETE CASCADE,
    PRIMARY KEY (person_group, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_of_member ON group_member (person);

-- codes that let somebody in once: to set up the first account, by an invitation, or to choose a new password
CREATE TABLE one_time_code (
    digest  BLOB PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    purpose TEXT NOT NULL,
    person  TEXT REFERENCES person ON DELETE CASCADE,
    body    TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
