-- Torrents that the hub has heard of by name. Rows are numbered in the order they came, and no number is used twice.
CREATE TABLE torrents (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    info_hash    BLOB    NOT NULL UNIQUE CHECK (length(info_hash) = 20),
    name         TEXT    NOT NULL,
    size         INTEGER,            -- bytes
    piece_length INTEGER,            -- bytes
    private      INTEGER NOT NULL,   -- 0 or 1 (BEP 27)
    comment      TEXT,
    created_by   TEXT,
    created_at   INTEGER,            -- Unix seconds
    added_at     INTEGER NOT NULL,   -- Unix seconds
    added_from   BLOB,               -- 4 or 16 bytes of address
    completed    INTEGER NOT NULL,   -- downloads, ever
    has_metainfo INTEGER NOT NULL    -- 0 or 1: the facts come from a .torrent file
) STRICT;

-- Not COLLATE NOCASE, which compares only what stands before a zero byte.
CREATE INDEX torrents_by_name ON torrents (lower(name));
CREATE INDEX torrents_by_address ON torrents (added_from) WHERE added_from IS NOT NULL;

CREATE TABLE files (
    torrent  INTEGER NOT NULL REFERENCES torrents (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,       -- place in the torrent, from 0
    path     TEXT    NOT NULL,
    length   INTEGER NOT NULL,       -- bytes
    PRIMARY KEY (torrent, position)
) STRICT, WITHOUT ROWID;

-- The .torrent files, apart from the rows so that a listing does not read them.
CREATE TABLE metainfo (
    torrent INTEGER PRIMARY KEY REFERENCES torrents (id) ON DELETE CASCADE,
    bytes   BLOB NOT NULL
) STRICT;

-- The words of names and of file names; rowid is torrents.id. Holds no text of its own.
CREATE VIRTUAL TABLE search USING fts5 (
    name, files,
    content = '', contentless_delete = 1, prefix = '2 3',
    tokenize = "unicode61 remove_diacritics 2"
);
