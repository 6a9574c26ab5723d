-- How much a member may take part in at a time, where it is not what the configuration says.
ALTER TABLE members ADD COLUMN torrents_max            INTEGER;
ALTER TABLE members ADD COLUMN clients_per_torrent_max INTEGER;
ALTER TABLE members ADD COLUMN addresses_max           INTEGER;
