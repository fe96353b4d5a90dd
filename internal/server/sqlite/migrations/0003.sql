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
