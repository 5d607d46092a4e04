-- Generated from the migrations by `make generate`; it creates what they lead to. Do not edit.
CREATE TABLE conversation (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    title   TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    leaf    TEXT
, pinned INTEGER NOT NULL DEFAULT 0, archived INTEGER NOT NULL DEFAULT 0, tags TEXT NOT NULL DEFAULT '[]', deleted INTEGER, named INTEGER NOT NULL DEFAULT 0, shelf TEXT GENERATED ALWAYS AS (
    CASE WHEN deleted IS NOT NULL THEN 'deleted' WHEN archived THEN 'archive' WHEN pinned THEN 'pinned' ELSE 'list' END
) VIRTUAL, model TEXT, mode TEXT, web TEXT, temperature REAL, max_tokens INTEGER, system TEXT, branched_from TEXT, project_id TEXT, memory TEXT, unread INTEGER NOT NULL DEFAULT 0, assistant_id TEXT) STRICT;
CREATE TABLE message (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
    parent       TEXT REFERENCES message (id) DEFERRABLE INITIALLY DEFERRED,
    text         TEXT NOT NULL,
    body         TEXT NOT NULL
, rated INTEGER) STRICT;
CREATE INDEX message_of_conversation ON message (conversation);
CREATE INDEX message_of_parent ON message (parent);
CREATE TABLE run (
    id           TEXT PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
    message      TEXT NOT NULL UNIQUE REFERENCES message (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    process      TEXT NOT NULL,
    status       TEXT NOT NULL
, ended INTEGER, events INTEGER, stop_requested INTEGER NOT NULL DEFAULT 0, options TEXT, waiting_since INTEGER) STRICT;
CREATE INDEX run_of_conversation ON run (conversation);
CREATE TABLE chunk (
    run   TEXT NOT NULL REFERENCES run ON DELETE CASCADE,
    last  INTEGER NOT NULL,
    lines TEXT NOT NULL,
    PRIMARY KEY (run, last)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER message_added AFTER INSERT ON message BEGIN
    INSERT INTO message_text (rowid, text) VALUES (new.number, new.text);
END;
CREATE TRIGGER message_removed AFTER DELETE ON message BEGIN
    INSERT INTO message_text (message_text, rowid, text) VALUES ('delete', old.number, old.text);
END;
CREATE TRIGGER message_changed AFTER UPDATE OF text ON message BEGIN
    INSERT INTO message_text (message_text, rowid, text) VALUES ('delete', old.number, old.text);
    INSERT INTO message_text (rowid, text) VALUES (new.number, new.text);
END;
CREATE INDEX conversation_on_shelf ON conversation (owner, shelf, updated DESC, id DESC);
CREATE INDEX conversation_deleted ON conversation (deleted) WHERE deleted IS NOT NULL;
CREATE TABLE share (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
    title        TEXT NOT NULL,
    created      INTEGER NOT NULL,
    expires      INTEGER,
    body         TEXT NOT NULL
, readings INTEGER NOT NULL DEFAULT 0, house INTEGER NOT NULL DEFAULT 0, reviewer TEXT) STRICT;
CREATE INDEX share_of_conversation ON share (conversation);
CREATE INDEX share_of_owner ON share (owner, created DESC);
CREATE TABLE preference (
    owner   TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL
) STRICT;
CREATE TABLE spent (
    owner             TEXT NOT NULL,
    day               TEXT NOT NULL,
    model             TEXT NOT NULL,
    currency          TEXT NOT NULL,
    answers           INTEGER NOT NULL,
    words             INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    milliseconds      INTEGER NOT NULL,
    metered           INTEGER NOT NULL,
    measured_mj       INTEGER NOT NULL,
    estimated_mj      INTEGER NOT NULL,
    micros            INTEGER NOT NULL,
    PRIMARY KEY (owner, day, model, currency)
) STRICT, WITHOUT ROWID;
CREATE TABLE server (
    name    TEXT PRIMARY KEY,
    url     TEXT NOT NULL,
    key     BLOB,
    models  TEXT NOT NULL,
    context INTEGER,
    country TEXT,
    created INTEGER NOT NULL
, api TEXT, endpoints TEXT) STRICT;
CREATE TABLE probe (
    server TEXT PRIMARY KEY,
    body   TEXT NOT NULL
) STRICT;
CREATE TABLE library (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    name    TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (owner, name)
) STRICT;
CREATE TABLE document (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256     TEXT UNIQUE,
    state      TEXT NOT NULL,
    reader     INTEGER NOT NULL,
    pages      INTEGER,
    pages_read INTEGER NOT NULL DEFAULT 0,
    characters INTEGER NOT NULL DEFAULT 0,
    chunks     INTEGER NOT NULL DEFAULT 0,
    embedder   TEXT,
    embedded   INTEGER NOT NULL DEFAULT 0,
    fault      TEXT,
    remarks    TEXT NOT NULL DEFAULT '[]'
, priority INTEGER NOT NULL DEFAULT 0, queued INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX document_in_state ON document (state, number);
CREATE TABLE file (
    id       TEXT PRIMARY KEY,
    owner    TEXT NOT NULL,
    library  TEXT REFERENCES library,
    name     TEXT NOT NULL,
    size     INTEGER NOT NULL,
    document INTEGER NOT NULL REFERENCES document,
    media    TEXT NOT NULL,
    created  INTEGER NOT NULL,
    path     TEXT,
    mtime_ns INTEGER
) STRICT;
CREATE INDEX file_of_owner ON file (owner, id DESC);
CREATE INDEX file_in_library ON file (library, id DESC);
CREATE INDEX file_of_document ON file (document);
CREATE UNIQUE INDEX file_at_path ON file (library, path) WHERE path IS NOT NULL;
CREATE TABLE attached (
    number  INTEGER PRIMARY KEY,
    message TEXT NOT NULL REFERENCES message (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    file    TEXT NOT NULL REFERENCES file ON DELETE CASCADE,
    UNIQUE (message, file)
) STRICT;
CREATE INDEX attached_file ON attached (file);
CREATE TABLE page (
    id     INTEGER PRIMARY KEY,
    start  INTEGER NOT NULL,
    length INTEGER NOT NULL,
    label  TEXT,
    member TEXT,
    read   TEXT NOT NULL,
    width  REAL,
    height REAL,
    text   BLOB NOT NULL,
    blocks BLOB NOT NULL,
    words  BLOB NOT NULL
) STRICT;
CREATE TABLE piece (
    id      INTEGER PRIMARY KEY,
    page    INTEGER NOT NULL,
    start   INTEGER NOT NULL,
    stop    INTEGER NOT NULL,
    heading TEXT NOT NULL,
    text    TEXT NOT NULL,
    forms   TEXT NOT NULL
) STRICT;
CREATE VIRTUAL TABLE piece_text USING fts5(
    heading, text, forms, content = 'piece', content_rowid = 'id', tokenize = "unicode61 remove_diacritics 2 tokenchars '§'"
);
INSERT INTO piece_text (piece_text, rank) VALUES ('secure-delete', 1);
CREATE VIRTUAL TABLE piece_word USING fts5vocab (piece_text, 'row');
CREATE TRIGGER piece_added AFTER INSERT ON piece BEGIN
    INSERT INTO piece_text (rowid, heading, text, forms) VALUES (new.id, new.heading, new.text, new.forms);
END;
CREATE TRIGGER piece_removed AFTER DELETE ON piece BEGIN
    INSERT INTO piece_text (piece_text, rowid, heading, text, forms)
    VALUES ('delete', old.id, old.heading, old.text, old.forms);
END;
CREATE TABLE vector (
    id    INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    data  BLOB NOT NULL
) STRICT;
CREATE TABLE web_page (
    id           TEXT PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    url          TEXT NOT NULL,
    fetched      INTEGER NOT NULL,
    title        TEXT NOT NULL,
    site         TEXT NOT NULL,
    author       TEXT,
    language     TEXT,
    published    TEXT,
    media        TEXT NOT NULL,
    wall         TEXT,
    pages        BLOB NOT NULL
) STRICT;
CREATE INDEX web_page_of_conversation ON web_page (conversation);
CREATE TABLE egress (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    owner   TEXT NOT NULL,
    moment  INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    run     TEXT,
    method  TEXT NOT NULL,
    url     TEXT,
    host    TEXT NOT NULL,
    address TEXT,
    country TEXT,
    sent    INTEGER NOT NULL,
    received INTEGER NOT NULL,
    status  INTEGER,
    milliseconds REAL NOT NULL,
    verdict TEXT NOT NULL,
    reason  TEXT
, process TEXT, url_salt BLOB, url_hash BLOB) STRICT;
CREATE INDEX egress_of_owner ON egress (owner, id);
CREATE INDEX egress_of_run ON egress (run) WHERE run IS NOT NULL;
CREATE INDEX egress_by_moment ON egress (moment);
CREATE TABLE feed (
    id       TEXT PRIMARY KEY,
    owner    TEXT NOT NULL,
    url      TEXT NOT NULL,
    host     TEXT NOT NULL,
    title    TEXT NOT NULL,
    site     TEXT,
    language TEXT,
    active   INTEGER NOT NULL DEFAULT 1,
    gone     INTEGER NOT NULL DEFAULT 0,
    created  INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    taken    INTEGER NOT NULL DEFAULT 0,
    checked  INTEGER,
    brought  INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    fault    TEXT,
    etag     TEXT,
    modified TEXT,
    digest   BLOB,
    UNIQUE (owner, url)
) STRICT;
CREATE INDEX feed_due ON feed (due) WHERE active AND NOT gone;
CREATE TABLE entry (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    feed      TEXT NOT NULL REFERENCES feed ON DELETE CASCADE,
    key       TEXT NOT NULL,
    at        INTEGER NOT NULL,
    published INTEGER,
    language  TEXT,
    author    TEXT,
    url       TEXT NOT NULL,
    title     TEXT NOT NULL,
    summary   TEXT NOT NULL,
    text      TEXT NOT NULL,
    forms     TEXT NOT NULL,
    UNIQUE (feed, key)
) STRICT;
CREATE INDEX entry_by_time ON entry (feed, at);
CREATE INDEX entry_at_url ON entry (url);
CREATE VIRTUAL TABLE entry_text USING fts5 (
    title, summary, text, forms, content = 'entry', content_rowid = 'number', tokenize = "unicode61 remove_diacritics 2 tokenchars '§'"
);
INSERT INTO entry_text (entry_text, rank) VALUES ('secure-delete', 1);
CREATE VIRTUAL TABLE entry_word USING fts5vocab (entry_text, 'row');
CREATE TRIGGER entry_added AFTER INSERT ON entry BEGIN
    INSERT INTO entry_text (rowid, title, summary, text, forms)
    VALUES (new.number, new.title, new.summary, new.text, new.forms);
END;
CREATE TRIGGER entry_removed AFTER DELETE ON entry BEGIN
    INSERT INTO entry_text (entry_text, rowid, title, summary, text, forms)
    VALUES ('delete', old.number, old.title, old.summary, old.text, old.forms);
END;
CREATE TRIGGER entry_changed AFTER UPDATE OF title, summary, text, forms ON entry BEGIN
    INSERT INTO entry_text (entry_text, rowid, title, summary, text, forms)
    VALUES ('delete', old.number, old.title, old.summary, old.text, old.forms);
    INSERT INTO entry_text (rowid, title, summary, text, forms)
    VALUES (new.number, new.title, new.summary, new.text, new.forms);
END;
CREATE TABLE picture (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    owner        TEXT NOT NULL,
    conversation TEXT REFERENCES conversation ON DELETE CASCADE,
    message      TEXT REFERENCES message (id) ON DELETE CASCADE,
    created      INTEGER NOT NULL,
    prompt       TEXT NOT NULL,
    model        TEXT NOT NULL,
    media        TEXT NOT NULL,
    width        INTEGER NOT NULL,
    height       INTEGER NOT NULL,
    size         INTEGER NOT NULL,
    blob         TEXT NOT NULL,
    thumbnail    TEXT NOT NULL,
    seed         INTEGER,
    steps        INTEGER,
    guidance     REAL,
    style        TEXT,
    negative     TEXT NOT NULL,
    source       TEXT,
    milliseconds REAL
, revised_prompt TEXT) STRICT;
CREATE INDEX picture_of_owner ON picture (owner, id DESC);
CREATE INDEX picture_of_conversation ON picture (conversation) WHERE conversation IS NOT NULL;
CREATE INDEX picture_of_message ON picture (message) WHERE message IS NOT NULL;
CREATE INDEX picture_blob ON picture (blob);
CREATE INDEX picture_thumbnail ON picture (thumbnail);
CREATE VIRTUAL TABLE picture_text USING fts5 (
    prompt, content = 'picture', content_rowid = 'number', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO picture_text (picture_text, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER picture_added AFTER INSERT ON picture BEGIN
    INSERT INTO picture_text (rowid, prompt) VALUES (new.number, new.prompt);
END;
CREATE TABLE picture_gone (
    blob TEXT PRIMARY KEY
) STRICT;
CREATE TRIGGER picture_removed AFTER DELETE ON picture BEGIN
    INSERT INTO picture_text (picture_text, rowid, prompt) VALUES ('delete', old.number, old.prompt);
    INSERT OR IGNORE INTO picture_gone VALUES (old.blob), (old.thumbnail);
END;
CREATE TABLE api_key (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    name    TEXT NOT NULL,
    digest  BLOB NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    used    TEXT, scope TEXT NOT NULL DEFAULT 'all', networks TEXT NOT NULL DEFAULT '[]', expires INTEGER, models TEXT NOT NULL DEFAULT '[]', per_minute INTEGER, at_once INTEGER,
    UNIQUE (owner, name)
) STRICT;
CREATE INDEX egress_begun ON egress (process) WHERE verdict = 'begun';
CREATE TABLE health_check (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    written INTEGER NOT NULL
) STRICT;
CREATE INDEX run_with_log ON run (ended) WHERE events IS NULL;
CREATE INDEX conversation_tagged ON conversation (owner, archived, tags) WHERE deleted IS NULL AND tags <> '[]';
CREATE TABLE index_merge_due (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    erasures INTEGER NOT NULL
) STRICT;
CREATE INDEX message_rated ON message (rated) WHERE rated IS NOT NULL;
CREATE TABLE web_settings (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT NOT NULL
) STRICT;
CREATE TABLE api_conversation (
    id       TEXT PRIMARY KEY,
    owner    TEXT NOT NULL,
    created  INTEGER NOT NULL,
    used     INTEGER NOT NULL,
    metadata TEXT NOT NULL
) STRICT;
CREATE INDEX api_conversation_used ON api_conversation (used);
CREATE TABLE api_response (
    id               TEXT PRIMARY KEY,
    owner            TEXT NOT NULL,
    used             INTEGER NOT NULL,
    background       INTEGER NOT NULL,
    status           TEXT NOT NULL,
    process          TEXT NOT NULL,
    previous         TEXT,
    conversation     TEXT,
    body             TEXT NOT NULL,
    cancel_requested INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX api_response_used ON api_response (used);
CREATE INDEX api_response_at_work ON api_response (process) WHERE status = 'in_progress';
CREATE TABLE api_event (
    response TEXT NOT NULL REFERENCES api_response ON DELETE CASCADE,
    last     INTEGER NOT NULL,
    lines    BLOB NOT NULL,
    PRIMARY KEY (response, last)
) STRICT, WITHOUT ROWID;
CREATE TABLE api_item (
    number       INTEGER PRIMARY KEY,
    owner        TEXT NOT NULL,
    id           TEXT NOT NULL,
    response     TEXT REFERENCES api_response ON DELETE CASCADE,
    conversation TEXT REFERENCES api_conversation ON DELETE CASCADE,
    input        INTEGER NOT NULL,
    body         TEXT NOT NULL
) STRICT;
CREATE INDEX api_item_by_id ON api_item (owner, id);
CREATE INDEX api_item_of_response ON api_item (response) WHERE response IS NOT NULL;
CREATE INDEX api_item_of_conversation ON api_item (conversation) WHERE conversation IS NOT NULL;
CREATE TABLE batch (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    created INTEGER NOT NULL,
    status  TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT;
CREATE INDEX batch_by_status ON batch (status);
CREATE TABLE batch_file (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    name    TEXT NOT NULL,
    created INTEGER NOT NULL,
    size    INTEGER NOT NULL,
    expires INTEGER,
    batch   TEXT REFERENCES batch ON DELETE CASCADE,
    failed  INTEGER NOT NULL
) STRICT;
CREATE TABLE batch_part (
    file   TEXT NOT NULL REFERENCES batch_file ON DELETE CASCADE,
    number INTEGER NOT NULL,
    data   BLOB NOT NULL,
    PRIMARY KEY (file, number)
) STRICT;
CREATE TABLE batch_reply (
    batch  TEXT NOT NULL REFERENCES batch ON DELETE CASCADE,
    line   INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (batch, line)
) STRICT;
CREATE TABLE upload (
    file    TEXT PRIMARY KEY REFERENCES file ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    expires INTEGER
) STRICT;
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
CREATE TABLE one_time_code (
    digest  BLOB PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    purpose TEXT NOT NULL,
    person  TEXT REFERENCES person ON DELETE CASCADE,
    body    TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE TABLE audit (
    number  INTEGER PRIMARY KEY,
    moment  INTEGER NOT NULL,
    action  TEXT NOT NULL,
    outcome TEXT NOT NULL,
    details TEXT NOT NULL,
    hashes  TEXT NOT NULL,
    hash    BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_action ON audit (action, number);
CREATE INDEX audit_by_moment ON audit (moment);
CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
CREATE TRIGGER audit_keeps_all BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
CREATE TABLE audit_value (
    number INTEGER NOT NULL,
    field  TEXT NOT NULL,
    salt   BLOB,
    value  TEXT,
    erased INTEGER,
    PRIMARY KEY (number, field)
) STRICT;
CREATE INDEX audit_value_of ON audit_value (value, number) WHERE value IS NOT NULL;
CREATE TABLE audit_checkpoint (
    size   INTEGER PRIMARY KEY,
    moment INTEGER NOT NULL,
    peaks  TEXT NOT NULL,
    note   TEXT NOT NULL
) STRICT;
CREATE TABLE audit_delivery (
    destination TEXT PRIMARY KEY,
    number      INTEGER NOT NULL
) STRICT;
CREATE TRIGGER egress_forgets AFTER DELETE ON run BEGIN
    UPDATE egress SET url = NULL, url_salt = NULL WHERE run = old.id;
END;
CREATE TABLE literacy (event TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE retention_rule (
    scope   TEXT NOT NULL,
    subject TEXT NOT NULL,
    days    INTEGER,
    changed INTEGER NOT NULL,
    PRIMARY KEY (scope, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE legal_hold (
    scope   TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason  TEXT NOT NULL,
    placed  INTEGER NOT NULL,
    PRIMARY KEY (scope, subject)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER library_held BEFORE DELETE ON library
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER response_held BEFORE DELETE ON api_response
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER api_conversation_held BEFORE DELETE ON api_conversation
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER batch_held BEFORE DELETE ON batch
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER batch_file_held BEFORE DELETE ON batch_file
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TABLE erasure_request (
    id       TEXT PRIMARY KEY,
    owner    TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked    INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    ended    INTEGER,
    receipt  TEXT
) STRICT;
CREATE UNIQUE INDEX erasure_request_open ON erasure_request (owner) WHERE ended IS NULL;
CREATE TRIGGER conversation_temporary BEFORE INSERT ON conversation
WHEN EXISTS (
    SELECT 1 FROM retention_rule WHERE days = 0 AND (
        scope = 'everyone' OR scope = 'group' AND EXISTS
        (SELECT 1 FROM group_member WHERE person_group = subject AND person = new.owner)
    )
) BEGIN SELECT RAISE(ABORT, 'temporary chats only'); END;
CREATE TRIGGER message_temporary BEFORE INSERT ON message
WHEN EXISTS (
    SELECT 1 FROM retention_rule WHERE days = 0 AND (
        scope = 'everyone' OR scope = 'group' AND EXISTS (
            SELECT 1 FROM group_member JOIN conversation ON conversation.owner = person
            WHERE person_group = subject AND conversation.id = new.conversation
        )
    )
) BEGIN SELECT RAISE(ABORT, 'temporary chats only'); END;
CREATE TABLE scim_resource (
    id          TEXT PRIMARY KEY,
    created     INTEGER NOT NULL,
    type        TEXT NOT NULL,
    name        TEXT NOT NULL,
    external_id TEXT,
    body        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    modified    INTEGER NOT NULL,
    UNIQUE (type, name)
) STRICT;
CREATE INDEX scim_resource_external ON scim_resource (type, external_id) WHERE external_id IS NOT NULL;
CREATE TABLE access_grant (
    id      TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    object  TEXT NOT NULL,
    effect  TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (subject, object)
) STRICT;
CREATE TABLE library_share (
    library TEXT NOT NULL REFERENCES library ON DELETE CASCADE,
    subject TEXT NOT NULL,
    access  TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (library, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX library_shared_with ON library_share (subject);
CREATE TABLE emergency_read (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    status       TEXT NOT NULL,
    requester    TEXT NOT NULL,
    requested    INTEGER NOT NULL,
    decider      TEXT,
    decided      INTEGER,
    expires      INTEGER,
    acknowledged INTEGER
) STRICT;
CREATE INDEX emergency_read_by_time ON emergency_read (requested DESC, id DESC);
CREATE INDEX emergency_read_untold ON emergency_read (owner) WHERE acknowledged IS NULL;
CREATE TABLE emergency_reading (
    request      TEXT NOT NULL REFERENCES emergency_read ON DELETE CASCADE,
    conversation TEXT NOT NULL,
    reader       TEXT NOT NULL,
    moment       INTEGER NOT NULL,
    PRIMARY KEY (request, conversation, reader)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER person_rights_gone AFTER DELETE ON person BEGIN
    DELETE FROM access_grant WHERE subject = 'person:' || old.id;
    DELETE FROM library_share WHERE subject = 'person:' || old.id;
END;
CREATE TRIGGER group_rights_gone AFTER DELETE ON person_group BEGIN
    DELETE FROM access_grant WHERE subject = 'group:' || old.id;
    DELETE FROM library_share WHERE subject = 'group:' || old.id;
END;
CREATE TABLE budget (
    id       TEXT PRIMARY KEY,
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    unit     TEXT NOT NULL,
    currency TEXT NOT NULL,
    period   TEXT NOT NULL,
    amount   INTEGER NOT NULL,
    each     INTEGER NOT NULL,
    soft     INTEGER,
    hard     INTEGER NOT NULL,
    UNIQUE (kind, subject, unit, currency, period, each)
) STRICT;
CREATE TABLE budget_use (
    budget   TEXT NOT NULL,
    holder   TEXT NOT NULL,
    start    TEXT NOT NULL,
    used     INTEGER NOT NULL DEFAULT 0,
    reserved INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (budget, holder, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE reservation (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    process TEXT NOT NULL,
    run     TEXT
) STRICT;
CREATE INDEX reservation_of_process ON reservation (process);
CREATE TABLE reserved_part (
    reservation TEXT NOT NULL REFERENCES reservation ON DELETE CASCADE,
    budget      TEXT NOT NULL,
    holder      TEXT NOT NULL,
    start       TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    base        INTEGER NOT NULL,
    rate        INTEGER NOT NULL,
    PRIMARY KEY (reservation, budget)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE canvas (
    id           TEXT PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
    title        TEXT NOT NULL,
    language     TEXT NOT NULL,
    created      INTEGER NOT NULL,
    updated      INTEGER NOT NULL,
    current      INTEGER NOT NULL
) STRICT;
CREATE INDEX canvas_of_conversation ON canvas (conversation, updated);
CREATE TABLE canvas_version (
    id      INTEGER PRIMARY KEY,
    canvas  TEXT NOT NULL REFERENCES canvas ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    parent  INTEGER,
    author  TEXT NOT NULL,
    model   TEXT,
    name    TEXT NOT NULL,
    created INTEGER NOT NULL,
    text    BLOB NOT NULL,
    UNIQUE (canvas, number)
) STRICT;
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
CREATE TABLE announcement (
    id       TEXT PRIMARY KEY,
    level    TEXT NOT NULL,
    language TEXT NOT NULL,
    texts    TEXT NOT NULL,
    begins   INTEGER,
    ends     INTEGER,
    closable INTEGER NOT NULL,
    changed  INTEGER NOT NULL
) STRICT;
CREATE TABLE workspace_file (
    conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
    name         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    size         INTEGER NOT NULL,
    media        TEXT NOT NULL,
    created      INTEGER NOT NULL,
    sha256       TEXT NOT NULL,
    alt          TEXT NOT NULL,
    current      INTEGER NOT NULL,
    data         BLOB NOT NULL,
    PRIMARY KEY (conversation, name, version)
) STRICT;
CREATE TABLE python_state (
    conversation TEXT PRIMARY KEY REFERENCES conversation ON DELETE CASCADE,
    interpreter  TEXT NOT NULL,
    data         BLOB NOT NULL
, number INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE compliance_settings (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT NOT NULL
) STRICT;
CREATE TABLE memory (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    text         TEXT NOT NULL,
    maker        TEXT NOT NULL,
    conversation TEXT REFERENCES conversation ON DELETE SET NULL,
    message      TEXT,
    created      INTEGER NOT NULL,
    changed      INTEGER NOT NULL
, project_id TEXT) STRICT;
CREATE INDEX memory_of_owner ON memory (owner, id);
CREATE INDEX memory_of_conversation ON memory (conversation) WHERE conversation IS NOT NULL;
CREATE TRIGGER memory_held BEFORE DELETE ON memory
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER memory_temporary BEFORE INSERT ON memory
WHEN EXISTS (
    SELECT 1 FROM retention_rule WHERE days = 0 AND (
        scope = 'everyone' OR scope = 'group' AND EXISTS
        (SELECT 1 FROM group_member WHERE person_group = subject AND person = new.owner)
    )
) BEGIN SELECT RAISE(ABORT, 'temporary chats only'); END;
CREATE TABLE branding (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    name   TEXT,
    notice TEXT,
    accent TEXT,
    logo   BLOB,
    source TEXT
) STRICT;
CREATE INDEX run_waiting ON run (waiting_since) WHERE status = 'waiting';
CREATE TABLE call_decision (
    run      TEXT NOT NULL REFERENCES run ON DELETE CASCADE,
    call     TEXT NOT NULL,
    decision TEXT NOT NULL,
    is_taken INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, call)
) STRICT, WITHOUT ROWID;
CREATE TABLE tool_permission (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    tool         TEXT NOT NULL,
    scope        TEXT NOT NULL,
    conversation TEXT REFERENCES conversation ON DELETE CASCADE,
    created      INTEGER NOT NULL
, is_denied INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE UNIQUE INDEX tool_permission_once ON tool_permission (owner, tool, scope, coalesce(conversation, ''));
CREATE TABLE audit_destination (
    id     TEXT PRIMARY KEY,
    kind   TEXT NOT NULL,
    target TEXT NOT NULL,
    key    BLOB,
    UNIQUE (kind, target)
) STRICT;
CREATE TABLE project (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    created      INTEGER NOT NULL,
    name         TEXT NOT NULL,
    instructions TEXT NOT NULL DEFAULT '',
    model        TEXT,
    web          TEXT,
    tools        TEXT, library TEXT, libraries TEXT NOT NULL DEFAULT '[]', memory TEXT NOT NULL DEFAULT 'own', deleted INTEGER, deleted_name TEXT,
    UNIQUE (owner, name)
) STRICT;
CREATE TABLE project_share (
    project TEXT NOT NULL REFERENCES project ON DELETE CASCADE,
    subject TEXT NOT NULL,
    access  TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (project, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX project_shared_with ON project_share (subject);
CREATE TRIGGER person_projects_gone AFTER DELETE ON person BEGIN
    DELETE FROM project_share WHERE subject = 'person:' || old.id;
END;
CREATE TRIGGER group_projects_gone AFTER DELETE ON person_group BEGIN
    DELETE FROM project_share WHERE subject = 'group:' || old.id;
END;
CREATE INDEX conversation_in_project ON conversation (project_id, owner, updated DESC, id DESC)
WHERE project_id IS NOT NULL;
CREATE TRIGGER project_gone AFTER DELETE ON project BEGIN
    UPDATE conversation SET project_id = NULL WHERE project_id = old.id;
END;
CREATE TRIGGER conversation_held BEFORE DELETE ON conversation
WHEN EXISTS (
    SELECT 1 FROM legal_hold WHERE (scope, subject)
    IN (VALUES ('person', old.owner), ('project', old.project_id), ('conversation', old.id))
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER conversation_held_listed BEFORE UPDATE OF deleted ON conversation
WHEN new.deleted IS NOT NULL AND EXISTS (
    SELECT 1 FROM legal_hold WHERE (scope, subject)
    IN (VALUES ('person', old.owner), ('project', old.project_id), ('conversation', old.id))
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER conversation_held_in_project BEFORE UPDATE OF project_id ON conversation
WHEN new.project_id IS NOT old.project_id AND EXISTS (
    SELECT 1 FROM legal_hold WHERE scope = 'project' AND subject = old.project_id
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER message_held BEFORE DELETE ON message
WHEN EXISTS (SELECT 1 FROM legal_hold) AND EXISTS (
    SELECT 1 FROM conversation JOIN legal_hold ON (scope, subject)
    IN (VALUES ('person', owner), ('project', project_id), ('conversation', conversation.id))
    WHERE conversation.id = old.conversation
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER file_held BEFORE DELETE ON file
WHEN EXISTS (SELECT 1 FROM legal_hold) AND (
    EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
    OR EXISTS (
        SELECT 1 FROM attached JOIN message ON message.id = attached.message
        JOIN conversation ON conversation.id = message.conversation JOIN legal_hold
        ON (scope, subject) IN (VALUES ('project', project_id), ('conversation', conversation.id))
        WHERE attached.file = old.id
    )
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER picture_held BEFORE DELETE ON picture
WHEN EXISTS (SELECT 1 FROM legal_hold) AND (
    EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
    OR EXISTS (
        SELECT 1 FROM conversation JOIN legal_hold
        ON (scope, subject) IN (VALUES ('project', project_id), ('conversation', conversation.id))
        WHERE conversation.id = old.conversation
    )
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER canvas_held BEFORE DELETE ON canvas
WHEN EXISTS (SELECT 1 FROM legal_hold) AND EXISTS (
    SELECT 1 FROM conversation JOIN legal_hold ON (scope, subject)
    IN (VALUES ('person', owner), ('project', project_id), ('conversation', conversation.id))
    WHERE conversation.id = old.conversation
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER workspace_file_held BEFORE DELETE ON workspace_file
WHEN EXISTS (SELECT 1 FROM legal_hold) AND EXISTS (
    SELECT 1 FROM conversation JOIN legal_hold ON (scope, subject)
    IN (VALUES ('person', owner), ('project', project_id), ('conversation', conversation.id))
    WHERE conversation.id = old.conversation
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TRIGGER project_held BEFORE DELETE ON project
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE (scope, subject) IN (VALUES ('person', old.owner), ('project', old.id)))
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE INDEX run_at_work ON run (conversation) WHERE status = 'running';
CREATE TABLE mcp_server (
    id           TEXT PRIMARY KEY,
    owner        TEXT,
    name         TEXT NOT NULL,
    config       TEXT NOT NULL,
    secrets      BLOB,
    secret_names TEXT NOT NULL,
    created      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX mcp_server_name ON mcp_server (coalesce(owner, ''), name);
CREATE TABLE mcp_listing (
    server   TEXT PRIMARY KEY,
    approved TEXT,
    seen     TEXT
) STRICT;
CREATE TABLE mcp_switch (
    owner        TEXT NOT NULL,
    server       TEXT NOT NULL,
    conversation TEXT REFERENCES conversation ON DELETE CASCADE,
    is_on        INTEGER NOT NULL,
    changed      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX mcp_switch_once ON mcp_switch (owner, server, coalesce(conversation, ''));
CREATE INDEX mcp_switch_of_conversation ON mcp_switch (conversation) WHERE conversation IS NOT NULL;
CREATE INDEX project_with_library ON project (library) WHERE library IS NOT NULL;
CREATE TRIGGER project_library_gone AFTER DELETE ON library BEGIN
    UPDATE project SET library = NULL WHERE library = old.id;
END;
CREATE INDEX memory_of_project ON memory (project_id) WHERE project_id IS NOT NULL;
CREATE TRIGGER project_memories_gone AFTER DELETE ON project BEGIN
    DELETE FROM memory WHERE project_id = old.id
    AND NOT EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = memory.owner);
END;
CREATE TABLE schedule (
    id           TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    name         TEXT NOT NULL,
    asks         TEXT NOT NULL,
    cron         TEXT NOT NULL,
    zone         TEXT NOT NULL,
    state        TEXT NOT NULL,
    next_due     INTEGER,
    keeps        TEXT NOT NULL,
    mail         TEXT NOT NULL,
    failures     INTEGER NOT NULL,
    reason       TEXT,
    conversation TEXT,
    created      INTEGER NOT NULL,
    changed      INTEGER NOT NULL
) STRICT;
CREATE INDEX schedule_of_owner ON schedule (owner, id);
CREATE INDEX schedule_due ON schedule (next_due) WHERE state = 'on';
CREATE TRIGGER schedule_held BEFORE DELETE ON schedule
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TABLE occurrence (
    id           TEXT PRIMARY KEY,
    schedule     TEXT NOT NULL REFERENCES schedule ON DELETE CASCADE,
    due          INTEGER NOT NULL,
    status       TEXT NOT NULL,
    conversation TEXT NOT NULL,
    question     TEXT NOT NULL,
    began        INTEGER NOT NULL,
    ended        INTEGER,
    run          TEXT,
    fault        TEXT,
    is_missed    INTEGER NOT NULL,
    is_manual    INTEGER NOT NULL,
    process      TEXT NOT NULL,
    UNIQUE (schedule, due)
) STRICT;
CREATE INDEX occurrence_open ON occurrence (began) WHERE status IN ('due', 'running', 'waiting');
CREATE TABLE assistant (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    name    TEXT NOT NULL,
    profile TEXT NOT NULL, library TEXT,
    UNIQUE (owner, name)
) STRICT;
CREATE TABLE assistant_share (
    assistant TEXT NOT NULL REFERENCES assistant ON DELETE CASCADE,
    subject   TEXT NOT NULL,
    access    TEXT NOT NULL,
    created   INTEGER NOT NULL,
    PRIMARY KEY (assistant, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX assistant_shared_with ON assistant_share (subject);
CREATE TRIGGER person_assistants_gone AFTER DELETE ON person BEGIN
    DELETE FROM assistant_share WHERE subject = 'person:' || old.id;
END;
CREATE TRIGGER group_assistants_gone AFTER DELETE ON person_group BEGIN
    DELETE FROM assistant_share WHERE subject = 'group:' || old.id;
END;
CREATE TRIGGER assistant_held BEFORE DELETE ON assistant
WHEN EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = old.owner)
BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TABLE mcp_sign_in (
    owner   TEXT NOT NULL,
    server  TEXT NOT NULL,
    sealed  BLOB NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (owner, server)
) STRICT;
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
CREATE TABLE elicitation (
    run     TEXT NOT NULL REFERENCES run ON DELETE CASCADE,
    call    TEXT NOT NULL,
    number  INTEGER NOT NULL,
    key     TEXT NOT NULL,
    state   TEXT,
    action  TEXT,
    content TEXT,
    PRIMARY KEY (run, call, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE job (
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    process  TEXT,
    claimed  INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due      INTEGER NOT NULL DEFAULT 0,
    fault    TEXT,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_of_process ON job (process) WHERE process IS NOT NULL;
CREATE TABLE worker (
    process TEXT PRIMARY KEY,
    host    TEXT NOT NULL,
    kinds   TEXT NOT NULL,
    at_once INTEGER NOT NULL,
    began   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX document_waiting ON document (priority DESC, number) WHERE state IN ('queued', 'reading');
CREATE INDEX project_deleted ON project (deleted) WHERE deleted IS NOT NULL;
CREATE TRIGGER project_held_listed BEFORE UPDATE OF deleted ON project
WHEN new.deleted IS NOT NULL AND EXISTS (
    SELECT 1 FROM legal_hold WHERE (scope, subject) IN (VALUES ('person', old.owner), ('project', old.id))
) BEGIN SELECT RAISE(ABORT, 'legal hold'); END;
CREATE TABLE project_conversation (
    conversation TEXT PRIMARY KEY REFERENCES conversation ON DELETE CASCADE,
    project      TEXT NOT NULL REFERENCES project ON DELETE CASCADE,
    shown        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX project_conversations ON project_conversation (project);
CREATE TABLE finish_request (
    run   TEXT NOT NULL REFERENCES run ON DELETE CASCADE,
    agent TEXT NOT NULL,
    PRIMARY KEY (run, agent)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_unembedded ON document (priority DESC, number DESC) WHERE embedded < chunks;
CREATE INDEX document_of_embedder ON document (embedder, priority DESC, number DESC);
CREATE TABLE speech_settings (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    transcriber TEXT NOT NULL
) STRICT;
CREATE INDEX assistant_with_library ON assistant (library) WHERE library IS NOT NULL;
CREATE TRIGGER assistant_library_gone AFTER DELETE ON library BEGIN
    UPDATE assistant SET library = NULL WHERE library = old.id;
END;
CREATE TABLE sign_in_state (
    digest  BLOB PRIMARY KEY,
    kind    TEXT NOT NULL,
    person  TEXT,
    code    TEXT,
    address TEXT NOT NULL,
    state   TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_state_by_expiry ON sign_in_state (kind, expires);
CREATE UNIQUE INDEX sign_in_state_by_code ON sign_in_state (kind, code) WHERE code IS NOT NULL;
CREATE TABLE installation_key (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;
CREATE TABLE presence (
    process      TEXT NOT NULL,
    conversation TEXT NOT NULL,
    person       TEXT NOT NULL,
    PRIMARY KEY (process, conversation, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX presence_in_conversation ON presence (conversation);
CREATE TABLE waiting_import (
    id        TEXT PRIMARY KEY,
    owner     TEXT NOT NULL,
    name      TEXT NOT NULL,
    blob      TEXT NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    libraries TEXT NOT NULL
) STRICT;
CREATE INDEX waiting_import_of_owner ON waiting_import (owner, created);
CREATE VIRTUAL TABLE message_text USING fts5 (
    text, content = 'message', content_rowid = 'number', prefix = '2 3', tokenize = "unicode61 remove_diacritics 2"
);
INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', 1);
PRAGMA user_version = 68;
