-- who reviewed a shared conversation and answers for it
ALTER TABLE share ADD COLUMN reviewer TEXT;
