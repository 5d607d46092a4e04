-- what the installation's owner chose for web search, in one row: services, addresses, encrypted keys, policy
CREATE TABLE web_settings (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT NOT NULL
) STRICT;
