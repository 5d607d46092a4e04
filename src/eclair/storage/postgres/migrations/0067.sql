-- exports that were uploaded and wait to be imported, at whichever server; their bytes are blobs
CREATE TABLE waiting_import (
    id text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    blob text COLLATE "C" NOT NULL,
    created bigint NOT NULL,
    expires bigint NOT NULL,
    libraries text COLLATE "C" NOT NULL
);
CREATE INDEX waiting_import_of_owner ON waiting_import (owner, created);
