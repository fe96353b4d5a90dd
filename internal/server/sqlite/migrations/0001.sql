-- The archives of accounts: what their devices keep for those to come, all of it sealed.
CREATE TABLE archive (
    account  INTEGER PRIMARY KEY REFERENCES account,
    revision INTEGER NOT NULL,
    head     BLOB NOT NULL
) STRICT;

CREATE TABLE archive_chunk (
    row     INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account,
    room    INTEGER NOT NULL REFERENCES room,
    place   INTEGER NOT NULL,    -- counts the room's chunks from 0
    size    INTEGER NOT NULL,    -- of the body; in the index, so that a sum reads no bodies
    body    BLOB NOT NULL
) STRICT;
CREATE INDEX archive_chunk_place ON archive_chunk (account, room, place, size);
