-- Members: who may announce where only members do. Rows are numbered in the order they came, and no number is used twice.
CREATE TABLE members (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL,     -- as it was given
    role       INTEGER NOT NULL,     -- 0 member, 1 uploader, 2 admin
    disabled   INTEGER NOT NULL,     -- 0 or 1
    until      INTEGER,              -- Unix seconds at which it ends
    passkey    BLOB UNIQUE CHECK (length(passkey) = 32), -- BLAKE3 of it; none while it is revoked
    invited_by TEXT,
    created_at INTEGER NOT NULL,     -- Unix seconds
    version    INTEGER NOT NULL      -- one more with each change
) STRICT;

-- Two names that differ in letter case are one person's.
CREATE UNIQUE INDEX members_by_name ON members (lower(name));

-- Codes with which people make themselves members.
CREATE TABLE invites (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    code       BLOB    NOT NULL UNIQUE CHECK (length(code) = 32), -- BLAKE3 of it
    note       TEXT    NOT NULL,
    uses_left  INTEGER NOT NULL,
    until      INTEGER,              -- Unix seconds
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Secrets that programs show to the API.
CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE,
    secret     BLOB    NOT NULL UNIQUE CHECK (length(secret) = 32), -- BLAKE3 of it
    scope      INTEGER NOT NULL,     -- 0 read, 1 torrents, 2 users, 3 admin
    until      INTEGER,              -- Unix seconds
    created_at INTEGER NOT NULL
) STRICT;

-- Every administrative act. Rows are only ever added.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,        -- Unix seconds
    who     TEXT    NOT NULL,        -- whose token or certificate
    address TEXT    NOT NULL,        -- where from
    act     TEXT    NOT NULL,
    object  TEXT    NOT NULL         -- on what
) STRICT;
