-- Log-ins, notes, and listening to conversations as they go on.

-- A session is known by SHA-256 of the token its browser holds.
CREATE TABLE sessions (
    key      TEXT COLLATE "C" PRIMARY KEY,
    name     TEXT COLLATE "C" NOT NULL, -- the user
    password TEXT NOT NULL,             -- SHA-256 of the hash it began with: another password ends it
    created  BIGINT NOT NULL,
    used     BIGINT NOT NULL            -- to the minute
);
CREATE INDEX sessions_by_name ON sessions (name);

-- Failed log-ins since the last one that succeeded.
CREATE TABLE login_failures (
    name     TEXT COLLATE "C" PRIMARY KEY, -- of a user, or of nobody
    failures BIGINT NOT NULL,
    last     BIGINT NOT NULL
);
CREATE INDEX login_failures_by_time ON login_failures (last);

CREATE TABLE notes (
    n    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call TEXT COLLATE "C" NOT NULL REFERENCES calls (id),
    at   BIGINT NOT NULL,
    name TEXT NOT NULL,                 -- the user who wrote it
    text TEXT NOT NULL                  -- free text of a person: erased when the call is anonymised
);
CREATE INDEX notes_by_call ON notes (call, n);

-- An agent's own calls, the latest first.
CREATE INDEX legs_by_agent ON legs (agent, dialled_at, call) WHERE agent IS NOT NULL;

-- The listening log also holds who heard a conversation as it went on. The rows there get their call; the
-- trigger that lets none be changed is away for that.
ALTER TABLE listening_log DISABLE TRIGGER listening_log_no_update;
ALTER TABLE listening_log ADD COLUMN kind TEXT NOT NULL DEFAULT 'recording';
ALTER TABLE listening_log ADD COLUMN call TEXT COLLATE "C" REFERENCES calls (id);
ALTER TABLE listening_log ADD COLUMN mode TEXT; -- of live listening: listen, whisper, barge
ALTER TABLE listening_log ALTER COLUMN recording DROP NOT NULL;
UPDATE listening_log SET call = (SELECT r.call FROM recordings r WHERE r.id = listening_log.recording);
ALTER TABLE listening_log ADD CHECK ((kind = 'recording' AND recording IS NOT NULL AND mode IS NULL)
    OR (kind = 'live' AND recording IS NULL AND call IS NOT NULL AND mode IS NOT NULL));
ALTER TABLE listening_log ENABLE TRIGGER listening_log_no_update;
CREATE INDEX listening_log_by_call ON listening_log (call, n);
CREATE INDEX listening_log_by_who ON listening_log (who, n);
