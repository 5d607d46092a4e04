-- how often the literacy page was offered and confirmed as read; no person is named
CREATE TABLE literacy (event TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
