-- further addresses that share an engine's work, as JSON
ALTER TABLE server ADD COLUMN endpoints TEXT;
