-- The last commits of a sealed room that can be replaced: those of one account, as far back as no other one has
-- followed, and the reboots among them. Each has what it found: its epoch, and of the devices that it changed since and
-- until, where since is null for one that was never in the room. undone are those that a reboot has replaced.
CREATE TABLE replaceable (
    place   INTEGER PRIMARY KEY REFERENCES entry,
    account INTEGER NOT NULL REFERENCES account,
    epoch   INTEGER NOT NULL,
    target  INTEGER REFERENCES account, -- whose commit a reboot replaces
    undone  INTEGER NOT NULL
) STRICT;

CREATE TABLE replaceable_member (
    place  INTEGER NOT NULL REFERENCES replaceable,
    device INTEGER NOT NULL REFERENCES device,
    since  INTEGER,
    until  INTEGER,
    PRIMARY KEY (place, device)
) STRICT, WITHOUT ROWID;

-- Who has said that it cannot take one of them.
CREATE TABLE reject (
    place  INTEGER NOT NULL REFERENCES replaceable,
    device INTEGER NOT NULL REFERENCES device,
    PRIMARY KEY (place, device)
) STRICT, WITHOUT ROWID;
