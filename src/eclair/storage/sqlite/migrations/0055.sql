-- refusals of further calls of a tool, beside permissions
ALTER TABLE tool_permission ADD COLUMN is_denied INTEGER NOT NULL DEFAULT 0;
