-- passkeys: public keys that people's devices hold the private part of; `used` is a day
CREATE TABLE passkey (
    id         TEXT PRIMARY KEY,
    person     TEXT NOT NULL REFERENCES person ON DELETE CASCADE,
    credential BLOB NOT NULL UNIQUE,
    public_key BLOB NOT NULL,
    signatures INTEGER NOT NULL,
    name       TEXT NOT NULL,
    created    INTEGER NOT NULL,
    used       TEXT
) STRICT;
CREATE INDEX passkey_of_person ON passkey (person, created);
