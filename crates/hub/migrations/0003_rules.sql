-- Access rules: entries of access lists that come and go while the hub runs.
CREATE TABLE rules (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    list       TEXT    NOT NULL,     -- the list's name, as in the configuration
    entry      TEXT    NOT NULL,     -- as it is written, the same whatever it was read from
    until      INTEGER,              -- Unix seconds at which it ends
    note       TEXT    NOT NULL,
    created_by TEXT    NOT NULL,     -- who said so last
    created_at INTEGER NOT NULL,     -- when, in Unix seconds
    UNIQUE (list, entry)
) STRICT;
