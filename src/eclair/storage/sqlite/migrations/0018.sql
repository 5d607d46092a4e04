-- whether another process wants the run stopped; the one that writes it looks
ALTER TABLE run ADD COLUMN stop_requested INTEGER NOT NULL DEFAULT 0;
