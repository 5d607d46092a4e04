-- several models may answer a question side by side; whoever opens a turn refuses it while others are at work
DROP INDEX run_at_work;
CREATE INDEX run_at_work ON run (conversation) WHERE status = 'running';
