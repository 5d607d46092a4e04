-- prompts that people save, until now in their preferences; and their shares, `access` of which is view or edit
CREATE TABLE prompt (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    name    TEXT NOT NULL,
    text    TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (owner, name)
) STRICT;
CREATE TABLE prompt_share (
    prompt  TEXT NOT NULL REFERENCES prompt ON DELETE CASCADE,
    subject TEXT NOT NULL,
    access  TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (prompt, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX prompt_shared_with ON prompt_share (subject);
CREATE TRIGGER person_prompts_gone AFTER DELETE ON person BEGIN
    DELETE FROM prompt_share WHERE subject = 'person:' || old.id;
END;
CREATE TRIGGER group_prompts_gone AFTER DELETE ON person_group BEGIN
    DELETE FROM prompt_share WHERE subject = 'group:' || old.id;
END;
CREATE TRIGGER prompt_held BEFORE DELETE ON prompt
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;

INSERT OR IGNORE INTO prompt (id, owner, name, text, created)
SELECT 'prompt_0' || substr(lower(hex(randomblob(13))), 2), owner, iif(saved.type = 'object', saved.value ->> 'name', ''),
       iif(saved.type = 'object', saved.value ->> 'text', ''), unixepoch() * 1000
FROM preference, json_each(iif(json_valid(body), body, '{}'), '$.prompts') AS saved
WHERE iif(saved.type = 'object', json_type(saved.value, '$.name') || json_type(saved.value, '$.text'), '') = 'texttext';
UPDATE preference SET body = json_remove(body, '$.prompts')
WHERE iif(json_valid(body), json_type(body, '$.prompts'), NULL) IS NOT NULL;
