-- what a key may do; `networks` is a JSON list of those it may be used from, `expires` is in milliseconds
ALTER TABLE api_key ADD COLUMN scope TEXT NOT NULL DEFAULT 'all';
ALTER TABLE api_key ADD COLUMN networks TEXT NOT NULL DEFAULT '[]';
ALTER TABLE api_key ADD COLUMN expires INTEGER;
