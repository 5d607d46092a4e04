-- compliance settings that were chosen in the app: one row of JSON
CREATE TABLE compliance_settings (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT NOT NULL
) STRICT;
