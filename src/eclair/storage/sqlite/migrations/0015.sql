-- the one row that readiness checks write and read back; `written` counts nanoseconds since 1970
CREATE TABLE health_check (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    written INTEGER NOT NULL
) STRICT;
