-- when a run ended (milliseconds), and the number of its events once its log was folded away
ALTER TABLE run ADD COLUMN ended INTEGER;
ALTER TABLE run ADD COLUMN events INTEGER;
UPDATE run SET ended = (SELECT updated FROM conversation WHERE id = run.conversation) WHERE status <> 'running';
CREATE INDEX run_with_log ON run (ended) WHERE events IS NULL;
