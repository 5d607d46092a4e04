-- the process that makes a call whose verdict is 'begun'
ALTER TABLE egress ADD COLUMN process TEXT;
CREATE INDEX egress_begun ON egress (process) WHERE verdict = 'begun';
