-- People's data, second part: withdrawals that every node has to hear of, searches whose words go with the person, what a
-- move had archived, files that must not outlive a person.

-- A withdrawal by a word to us, for the calls that go on wherever they are: each node reads what is new. A message, not a
-- record: the consent's own row is that. It goes after a day, and when the person is erased.
CREATE TABLE consent_withdrawals (
    n       BIGINT PRIMARY KEY,      -- in the order of commits: who has seen n has seen all before
    number  TEXT NOT NULL,
    at      BIGINT NOT NULL,
    by_user TEXT NOT NULL
);
-- The last n; its row is locked by who draws the next.
CREATE TABLE consent_withdrawals_last (id BIGINT PRIMARY KEY, n BIGINT NOT NULL);
INSERT INTO consent_withdrawals_last (id, n) VALUES (1, 0);

-- move: when reading for the archive began, and the last consent that was there. What is younger is not in it.
ALTER TABLE privacy_tasks ADD COLUMN archived_at BIGINT;
ALTER TABLE privacy_tasks ADD COLUMN archived_n BIGINT;
-- 1: somebody it was about was erased while it was made; what it makes is not kept.
ALTER TABLE privacy_tasks ADD COLUMN forgotten BIGINT NOT NULL DEFAULT 0;
-- 1: its file holds what is restricted.
ALTER TABLE privacy_tasks ADD COLUMN file_restricted BIGINT NOT NULL DEFAULT 1;
-- Which key-encryption key wrapped file_key; NULL: an older Sayso does not say.
ALTER TABLE privacy_tasks ADD COLUMN file_kek TEXT;

-- Searches for people. Their words are in the audit log, each search's under a key of its own, which goes with whom it
-- found; that of a search that found nobody goes by time.
CREATE TABLE privacy_searches (
    id    TEXT PRIMARY KEY,
    at    BIGINT NOT NULL,
    found BIGINT NOT NULL DEFAULT 0 -- calls and entries
);
CREATE INDEX privacy_searches_in_vain ON privacy_searches (at) WHERE found = 0;
CREATE TABLE privacy_search_found (
    search TEXT NOT NULL REFERENCES privacy_searches (id) ON DELETE CASCADE,
    what   TEXT NOT NULL,          -- a call or an entry
    PRIMARY KEY (search, what)
);
CREATE INDEX privacy_search_found_by_what ON privacy_search_found (what, search);
