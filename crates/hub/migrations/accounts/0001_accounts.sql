-- What each client of each member reported last of each torrent, and what it was credited so far: in one row, so that the two
-- cannot part.
CREATE TABLE sessions (
    user       INTEGER NOT NULL,     -- members.id
    torrent    BLOB    NOT NULL,     -- info hash, 20 bytes
    peer       BLOB    NOT NULL,     -- peer id, 20 bytes
    uploaded   INTEGER NOT NULL,     -- bytes, as last reported
    downloaded INTEGER NOT NULL,
    seeder     INTEGER NOT NULL,     -- 0 or 1
    stopped    INTEGER NOT NULL,     -- 0 or 1
    at         INTEGER NOT NULL,     -- Unix seconds
    sent       INTEGER NOT NULL,     -- bytes, all differences together
    received   INTEGER NOT NULL,
    credited_up   INTEGER NOT NULL,  -- the same with the factors of their time
    credited_down INTEGER NOT NULL,
    seed_secs  INTEGER NOT NULL,
    completed_at INTEGER,            -- Unix seconds
    flagged    INTEGER NOT NULL,     -- reports that could not be true
    PRIMARY KEY (user, torrent, peer)
) STRICT, WITHOUT ROWID;

-- What of the credit counts, for all torrents or for one, between two moments.
CREATE TABLE factors (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    torrent      BLOB,               -- info hash; none for all
    upload_pct   INTEGER NOT NULL,
    download_pct INTEGER NOT NULL,
    begins       INTEGER,            -- Unix seconds; none for ever
    ends         INTEGER
) STRICT;
