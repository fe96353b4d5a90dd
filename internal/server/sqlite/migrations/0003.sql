CREATE INDEX account_owner ON account (owner) WHERE owner;
CREATE INDEX invite_owner ON invite (owner) WHERE owner;
CREATE INDEX room_everyone ON room (everyone) WHERE everyone;
CREATE INDEX welcome_place ON welcome (place);

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

INSERT INTO spoken (account, room)
    SELECT DISTINCT d.account, e.place >> 32 FROM entry e JOIN device d ON d.row = e.device WHERE e.kind = 1
    UNION SELECT d.account, r.row FROM room r JOIN device d ON d.row = r.created_by WHERE r.kind = 1;

-- Whose they are, and how large, in bytes: those are no longer stored by that account when the Welcome goes.
CREATE TABLE welcome_payer (
    body    INTEGER PRIMARY KEY, -- row of welcome_body
    account INTEGER NOT NULL REFERENCES account,
    bytes   INTEGER NOT NULL
) STRICT;

-- What accounts have stored, in bytes, as far as it is written down: quota.go.
CREATE TABLE usage (
    account INTEGER PRIMARY KEY REFERENCES account,
    bytes   INTEGER NOT NULL
) STRICT;

INSERT INTO usage (account, bytes) SELECT account, sum(bytes) FROM (
    SELECT d.account, 160 + length(e.payload) AS bytes FROM entry e JOIN device d ON d.row = e.device
    UNION ALL SELECT d.account, length(k.body) FROM key_package k JOIN device d ON d.row = k.device
    UNION ALL SELECT account, length(head) FROM archive
    UNION ALL SELECT account, size FROM archive_chunk) GROUP BY account;
