-- settings of speech that were chosen in the app: one row
CREATE TABLE speech_settings (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    transcriber TEXT NOT NULL
) STRICT;
