-- the API that a server speaks, where its address does not tell it: openai, anthropic or gemini
ALTER TABLE server ADD COLUMN api TEXT;
