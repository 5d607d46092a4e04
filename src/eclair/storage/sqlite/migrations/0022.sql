-- the conversation whose thread a branch was copied from
ALTER TABLE conversation ADD COLUMN branched_from TEXT;
