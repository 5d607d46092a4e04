-- an assistant has a library of its own, which those with whom it is shared use as they use the assistant
ALTER TABLE assistant ADD COLUMN library text COLLATE "C";
CREATE INDEX assistant_with_library ON assistant (library) WHERE library IS NOT NULL;
CREATE FUNCTION assistant_library_gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE assistant SET library = NULL WHERE library = old.id;
    RETURN NULL;
END $$;
CREATE TRIGGER assistant_library_gone AFTER DELETE ON library FOR EACH ROW EXECUTE FUNCTION assistant_library_gone();
