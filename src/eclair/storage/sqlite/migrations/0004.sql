-- what the person chose for the conversation: who answers in it, and flash, auto or think
ALTER TABLE conversation ADD COLUMN model TEXT;
ALTER TABLE conversation ADD COLUMN mode TEXT;
