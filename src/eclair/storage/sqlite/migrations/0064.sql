-- an assistant has a library of its own, which those with whom it is shared use as they use the assistant
ALTER TABLE assistant ADD COLUMN library TEXT;
CREATE INDEX assistant_with_library ON assistant (library) WHERE library IS NOT NULL;
CREATE TRIGGER assistant_library_gone AFTER DELETE ON library BEGIN
    UPDATE assistant SET library = NULL WHERE library = old.id;
END;
