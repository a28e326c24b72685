-- Retention: legal holds, what is due found by an index, and how far the sweeper is.

CREATE TABLE holds (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL CHECK (kind IN ('recording', 'call', 'number', 'queue')),
    object      TEXT,  -- the recording's or call's id, the queue's name
    number      TEXT,                   -- E.164
    span_since  BIGINT,                 -- of a queue: calls of this span
    span_until  BIGINT,
    reason      TEXT NOT NULL,          -- a person's words
    by_whom     TEXT NOT NULL,
    at          BIGINT NOT NULL,
    ends_at     BIGINT,                 -- by itself; NULL: when it is released
    released_at BIGINT,
    released_by TEXT,
    CHECK ((kind = 'number') = (number IS NOT NULL) AND (object IS NULL) = (number IS NOT NULL)),
    CHECK ((kind = 'queue') = (span_since IS NOT NULL AND span_until IS NOT NULL))
);
CREATE INDEX holds_by_time ON holds (at, id);
CREATE INDEX holds_open ON holds (kind, object, number) WHERE released_at IS NULL;

-- When a recording's clock began, its call's end; NULL: the call goes on.
ALTER TABLE recordings ADD COLUMN call_ended_at BIGINT;
UPDATE recordings SET call_ended_at = (SELECT c.ended_at FROM calls c WHERE c.id = recordings.call);
CREATE INDEX recordings_kept ON recordings (queue, call_ended_at, id, bytes)
    WHERE state NOT IN ('discarded', 'destroyed', 'removed') AND call_ended_at IS NOT NULL;
CREATE INDEX recordings_by_end ON recordings (destroyed_at) WHERE destroyed_at IS NOT NULL;

-- The anonymous row of a call whose reporting data is past its time, and that something refers to still.
ALTER TABLE calls ADD COLUMN stripped_at BIGINT;
CREATE INDEX calls_personal ON calls (first_queue, ended_at, id)
    WHERE anonymised_at IS NULL AND ended_at IS NOT NULL;
CREATE INDEX calls_anonymous ON calls (ended_at, id)
    WHERE anonymised_at IS NOT NULL AND stripped_at IS NULL AND ended_at IS NOT NULL;

-- How far the sweeper is.
CREATE TABLE retention_state (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    generation BIGINT NOT NULL,         -- of the settings the last sweep went by
    began_at   BIGINT,
    ended_at   BIGINT,                  -- of the last that saw everything
    oldest_due BIGINT,                  -- since when the oldest thing is due; NULL: nothing is
    due        BIGINT NOT NULL,
    held       BIGINT NOT NULL,
    seen_at    BIGINT                   -- when it was last written here
);
INSERT INTO retention_state (id, generation, due, held) VALUES (1, 0, 0, 0);

-- What a person wrote as a reason goes with the call; nothing else of the row can be changed.
DROP TRIGGER listening_log_no_update;
CREATE TRIGGER listening_log_no_update BEFORE UPDATE ON listening_log
WHEN NEW.n <> OLD.n OR NEW.at <> OLD.at OR NEW.kind <> OLD.kind OR NEW.call IS NOT OLD.call
    OR NEW.recording IS NOT OLD.recording OR NEW.mode IS NOT OLD.mode OR NEW.who <> OLD.who
    OR OLD.reason IS NULL OR NEW.reason IS NOT '{Anonymized by DPO}'
BEGIN SELECT RAISE(ABORT, 'the listening log is append-only: no row is changed'); END;
