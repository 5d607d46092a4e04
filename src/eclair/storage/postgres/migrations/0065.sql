-- what replicas share that each kept for itself: steps of signing in, the keys that sign and mark, and who ran Python
-- last in a conversation
CREATE TABLE sign_in_state (
    digest bytea PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    person text COLLATE "C",
    code text COLLATE "C",
    address text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    expires bigint NOT NULL
);
CREATE INDEX sign_in_state_by_expiry ON sign_in_state (kind, expires);
CREATE UNIQUE INDEX sign_in_state_by_code ON sign_in_state (kind, code) WHERE code IS NOT NULL;
CREATE TABLE installation_key (
    name text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);
ALTER TABLE python_state ADD COLUMN number bigint NOT NULL DEFAULT 0;
