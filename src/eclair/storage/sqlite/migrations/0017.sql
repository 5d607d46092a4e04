-- most conversations have no tags; the list of tags reads only the others
CREATE INDEX conversation_tagged ON conversation (owner, archived, tags) WHERE deleted IS NULL AND tags <> '[]';
