-- there while the index of messages holds words that were erased in bulk: how many such erasures there were
CREATE TABLE index_merge_due (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    erasures INTEGER NOT NULL
) STRICT;
