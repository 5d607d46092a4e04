-- words of messages by their first letters too, which are what somebody has typed so far
DROP TABLE message_text;
CREATE VIRTUAL TABLE message_text USING fts5 (
    text, content = 'message', content_rowid = 'number', prefix = '2 3', tokenize = "unicode61 remove_diacritics 2"
);
INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', 1);
INSERT INTO message_text (message_text) SELECT 'rebuild' WHERE EXISTS (SELECT 1 FROM message);
