-- when an answer was rated; what the rating says stands in its body
ALTER TABLE message ADD COLUMN rated INTEGER;
CREATE INDEX message_rated ON message (rated) WHERE rated IS NOT NULL;
