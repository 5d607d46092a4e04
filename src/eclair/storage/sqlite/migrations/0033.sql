-- people and groups as a directory provisions them over SCIM: the resource as JSON, and what is looked for in it
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
