-- The server's database, for new ones; migrations/ brings old ones here. Times are milliseconds since 1970 UTC.

CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    row        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    handle     TEXT NOT NULL UNIQUE,
    owner      INTEGER NOT NULL,
    chain      BLOB NOT NULL,
    vault      BLOB NOT NULL,
    salt       BLOB NOT NULL,
    memory_kib INTEGER NOT NULL,
    passes     INTEGER NOT NULL,
    lanes      INTEGER NOT NULL,
    auth       BLOB NOT NULL,    -- slow hash of the auth key
    digest     BLOB NOT NULL,    -- of the registration, to know it again
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX account_owner ON account (owner) WHERE owner;

CREATE TABLE device (
    row        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    key        BLOB NOT NULL UNIQUE,
    account    INTEGER NOT NULL REFERENCES account,
    revoked_at INTEGER,          -- null while enrolled
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX device_account ON device (account);

CREATE TABLE key_package (
    row         INTEGER PRIMARY KEY,
    device      INTEGER NOT NULL REFERENCES device,
    last_resort INTEGER NOT NULL,
    body        BLOB NOT NULL
) STRICT;
CREATE INDEX key_package_device ON key_package (device, last_resort);

CREATE TABLE invite (
    hash       BLOB PRIMARY KEY,
    owner      INTEGER NOT NULL,
    made_by    INTEGER REFERENCES account,
    expires_at INTEGER NOT NULL,
    used_by    INTEGER REFERENCES account
) STRICT, WITHOUT ROWID;
CREATE INDEX invite_owner ON invite (owner) WHERE owner;

CREATE TABLE room (
    row         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    kind        INTEGER NOT NULL,
    name        TEXT UNIQUE,     -- open rooms only
    everyone    INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    direct_low  INTEGER REFERENCES account, -- the pair of a 1:1 room, by id
    direct_high INTEGER REFERENCES account,
    created_by  INTEGER REFERENCES device,
    created_at  INTEGER NOT NULL,
    UNIQUE (direct_low, direct_high)
) STRICT;
CREATE INDEX room_direct_high ON room (direct_high) WHERE direct_high IS NOT NULL;
CREATE INDEX room_everyone ON room (everyone) WHERE everyone;

-- Devices in sealed rooms. A device that comes back replaces its former row.
CREATE TABLE member (
    room    INTEGER NOT NULL REFERENCES room,
    device  INTEGER NOT NULL REFERENCES device,
    account INTEGER NOT NULL REFERENCES account,
    since   INTEGER NOT NULL,    -- seq of the commit that added it; 0 for the maker
    until   INTEGER,             -- seq of the commit that removed it
    PRIMARY KEY (room, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_account ON member (account);

-- In which sealed rooms accounts have said something, or which they have made.
CREATE TABLE spoken (
    account INTEGER NOT NULL REFERENCES account,
    room    INTEGER NOT NULL REFERENCES room,
    PRIMARY KEY (account, room)
) STRICT, WITHOUT ROWID;

-- The sealed rooms into which others have let accounts, until these say something there.
CREATE TABLE admission (
    account  INTEGER NOT NULL REFERENCES account,
    room     INTEGER NOT NULL REFERENCES room,
    inviter  INTEGER NOT NULL REFERENCES account,
    stranger INTEGER NOT NULL,   -- the account has said nothing in any room that the inviter was in
    times    INTEGER NOT NULL,   -- that the inviter has let it in
    gone_at  INTEGER,            -- when it went out of the room without a word; null while it is in
    PRIMARY KEY (account, room)
) STRICT, WITHOUT ROWID;
CREATE INDEX admission_inviter ON admission (account, inviter, gone_at, times);
CREATE INDEX admission_stranger ON admission (account, stranger, gone_at);

-- Accounts in open rooms.
CREATE TABLE joined (
    room    INTEGER NOT NULL REFERENCES room,
    account INTEGER NOT NULL REFERENCES account,
    at      INTEGER NOT NULL,
    since   INTEGER NOT NULL,    -- the log's last seq then
    PRIMARY KEY (room, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX joined_account ON joined (account);

-- The logs. A room's seq and head are those of its last entry: kept once, so that they cannot disagree.
-- place is the room's row × 2^32 + seq: a room's entries lie side by side, and need no second index.
CREATE TABLE entry (
    place    INTEGER PRIMARY KEY,
    kind     INTEGER NOT NULL,
    device   INTEGER NOT NULL,   -- no REFERENCES: it would cost a lookup for each entry, and devices are never deleted
    id       BLOB NOT NULL,
    epoch    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    head     BLOB NOT NULL,
    envelope BLOB,               -- hash of a commit's envelope, to know it again
    payload  BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX entry_id ON entry (device, id);

CREATE TABLE welcome (
    row    INTEGER PRIMARY KEY,
    device INTEGER NOT NULL REFERENCES device,
    place  INTEGER NOT NULL REFERENCES entry,
    body   INTEGER NOT NULL REFERENCES welcome_body,
    UNIQUE (device, place)
) STRICT;
CREATE INDEX welcome_by_body ON welcome (body);
CREATE INDEX welcome_place ON welcome (place);

-- One Welcome serves all devices that a commit adds.
CREATE TABLE welcome_body (
    row  INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

-- Whose they are, and how large, in bytes: those are no longer stored by that account when the Welcome goes.
CREATE TABLE welcome_payer (
    body    INTEGER PRIMARY KEY, -- row of welcome_body
    account INTEGER NOT NULL REFERENCES account,
    bytes   INTEGER NOT NULL
) STRICT;

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

-- What accounts have stored, in bytes, as far as it is written down: quota.go.
CREATE TABLE usage (
    account INTEGER PRIMARY KEY REFERENCES account,
    bytes   INTEGER NOT NULL
) STRICT;
