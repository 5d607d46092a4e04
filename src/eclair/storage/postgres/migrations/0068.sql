-- nothing: the index of words by their first letters is SQLite's, and PostgreSQL's finds those as it is
SELECT 1;
