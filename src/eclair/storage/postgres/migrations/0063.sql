-- settings of speech that were chosen in the app: one row
CREATE TABLE speech_settings (
    id bigint PRIMARY KEY CHECK (id = 1),
    transcriber text COLLATE "C" NOT NULL
);
