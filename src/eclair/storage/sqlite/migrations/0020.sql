-- how answers in a conversation are written, where that differs from the default
ALTER TABLE conversation ADD COLUMN temperature REAL;
ALTER TABLE conversation ADD COLUMN max_tokens INTEGER;
ALTER TABLE conversation ADD COLUMN system TEXT;
