-- The schema of a new store. What changes it later is a numbered migration.
CREATE TABLE records (
    key   BLOB NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- One row: how many commits there have been.
CREATE TABLE generation (
    only  INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    value INTEGER NOT NULL
);
INSERT INTO generation (only, value) VALUES (1, 0);
