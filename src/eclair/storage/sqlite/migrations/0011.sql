-- what a picture's model made of the prompt, or what was drawn of it
ALTER TABLE picture ADD COLUMN revised_prompt TEXT;
