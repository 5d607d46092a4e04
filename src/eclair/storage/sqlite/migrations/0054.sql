-- skills with their files, and which are on; `head` is the front matter as JSON
CREATE TABLE skill (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    head    TEXT NOT NULL,
    name    TEXT NOT NULL,
    UNIQUE (owner, name)
) STRICT;
CREATE TABLE skill_file (
    skill TEXT NOT NULL REFERENCES skill ON DELETE CASCADE,
    path  TEXT NOT NULL,
    data  BLOB NOT NULL,
    PRIMARY KEY (skill, path)
) STRICT;
CREATE TABLE skill_switch (
    owner TEXT NOT NULL,
    skill TEXT NOT NULL,
    is_on INTEGER NOT NULL,
    PRIMARY KEY (owner, skill)
) STRICT;
CREATE TRIGGER skill_held BEFORE DELETE ON skill
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
