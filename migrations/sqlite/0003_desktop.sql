-- Log-ins, notes, and listening to conversations as they go on.

-- A session is known by SHA-256 of the token its browser holds.
CREATE TABLE sessions (
    key      TEXT PRIMARY KEY,
    name     TEXT NOT NULL,             -- the user
    password TEXT NOT NULL,             -- SHA-256 of the hash it began with: another password ends it
    created  BIGINT NOT NULL,
    used     BIGINT NOT NULL            -- to the minute
);
CREATE INDEX sessions_by_name ON sessions (name);

-- Failed log-ins since the last one that succeeded.
CREATE TABLE login_failures (
    name     TEXT PRIMARY KEY,          -- of a user, or of nobody
    failures BIGINT NOT NULL,
    last     BIGINT NOT NULL
);
CREATE INDEX login_failures_by_time ON login_failures (last);

CREATE TABLE notes (
    n    INTEGER PRIMARY KEY,
    call TEXT NOT NULL REFERENCES calls (id),
    at   BIGINT NOT NULL,
    name TEXT NOT NULL,                 -- the user who wrote it
    text TEXT NOT NULL                  -- free text of a person: erased when the call is anonymised
);
CREATE INDEX notes_by_call ON notes (call, n);

-- An agent's own calls, the latest first.
CREATE INDEX legs_by_agent ON legs (agent, dialled_at, call) WHERE agent IS NOT NULL;

-- The listening log also holds who heard a conversation as it went on. SQLite cannot add such a constraint,
-- so the rows move to a new table under the old name.
CREATE TABLE listening (
    n         INTEGER PRIMARY KEY,
    at        BIGINT NOT NULL,
    kind      TEXT NOT NULL DEFAULT 'recording',
    call      TEXT REFERENCES calls (id),
    recording TEXT REFERENCES recordings (id),
    mode      TEXT,                     -- of live listening: listen, whisper, barge
    who       TEXT NOT NULL,
    reason    TEXT,
    CHECK ((kind = 'recording' AND recording IS NOT NULL AND mode IS NULL)
        OR (kind = 'live' AND recording IS NULL AND call IS NOT NULL AND mode IS NOT NULL))
);
INSERT INTO listening (n, at, kind, call, recording, who, reason)
    SELECT l.n, l.at, 'recording', (SELECT r.call FROM recordings r WHERE r.id = l.recording), l.recording,
           l.who, l.reason
    FROM listening_log l;
DROP TABLE listening_log;
ALTER TABLE listening RENAME TO listening_log;
CREATE INDEX listening_log_by_recording ON listening_log (recording, n);
CREATE INDEX listening_log_by_call ON listening_log (call, n);
CREATE INDEX listening_log_by_who ON listening_log (who, n);

CREATE TRIGGER listening_log_no_update BEFORE UPDATE ON listening_log
BEGIN SELECT RAISE(ABORT, 'the listening log is append-only: no row is changed'); END;
CREATE TRIGGER listening_log_no_delete BEFORE DELETE ON listening_log
BEGIN SELECT RAISE(ABORT, 'the listening log is append-only: no row is deleted'); END;
CREATE TRIGGER listening_log_no_replace BEFORE INSERT ON listening_log
WHEN EXISTS (SELECT 1 FROM listening_log WHERE n = NEW.n)
BEGIN SELECT RAISE(ABORT, 'the listening log is append-only: no row is replaced'); END;
