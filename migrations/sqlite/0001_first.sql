-- Calls, consents, recordings, agents, settings and the audit log.
--
-- Times are microseconds since 1970 UTC, ids are ULID text, JSON is text, truth values are 0 and 1.
-- PostgreSQL has the same tables in a folder of its own: BYTEA for BLOB, an identity for an
-- autoincremented key, and its own form of trigger; no query differs.

CREATE TABLE calls (
    id            TEXT PRIMARY KEY,
    arrived_at    BIGINT NOT NULL,
    from_number   TEXT,                 -- E.164; NULL: withheld
    dialled       TEXT NOT NULL,
    trunk         TEXT,
    first_queue   TEXT NOT NULL,        -- its recording settings follow the call (domain rule 4)
    queue         TEXT NOT NULL,        -- where it is or was last
    language      TEXT NOT NULL,
    basis         TEXT,                 -- why it is recorded or not; NULL: not decided
    basis_detail  TEXT,
    decided_at    BIGINT,
    queued_at     BIGINT,
    connected_at  BIGINT,               -- first conversation
    agent         TEXT,                 -- last conversation
    ended_at      BIGINT,
    end_cause     TEXT,
    anonymised_at BIGINT                -- by retention or on request (domain rules 12, 19)
);
CREATE INDEX calls_by_time ON calls (arrived_at);
CREATE INDEX calls_by_number ON calls (from_number, arrived_at);
CREATE INDEX calls_open ON calls (arrived_at) WHERE ended_at IS NULL;

CREATE TABLE legs (
    call         TEXT NOT NULL REFERENCES calls (id),
    n            BIGINT NOT NULL,       -- 0: the caller's
    agent        TEXT,
    dialled_at   BIGINT NOT NULL,
    connected_at BIGINT,
    ended_at     BIGINT,
    cause        TEXT,
    quality      TEXT,                  -- JSON: packets, loss, jitter
    PRIMARY KEY (call, n)
);

-- What happened in a call, for showing it; the proof is the audit log.
CREATE TABLE call_events (
    n      INTEGER PRIMARY KEY,
    call   TEXT NOT NULL REFERENCES calls (id),
    at     BIGINT NOT NULL,
    kind   TEXT NOT NULL,
    agent  TEXT,
    queue  TEXT,
    detail TEXT,
    note   TEXT                         -- free text of a person: erased when the call is anonymised
);
CREATE INDEX call_events_by_call ON call_events (call, n);

-- One row for each answer and each withdrawal; the last one of a number counts.
CREATE TABLE consents (
    n               INTEGER PRIMARY KEY,
    call            TEXT NOT NULL REFERENCES calls (id),
    from_number     TEXT,               -- NULL: withheld, holds for this call only
    at              BIGINT NOT NULL,
    queue           TEXT NOT NULL,
    answer          TEXT NOT NULL,      -- yes, no, wrong-keys, silence, hung-up, withdrawn
    agreed          BIGINT NOT NULL,
    digit           TEXT,
    channel         TEXT,
    question_sha256 TEXT,
    language        TEXT
);
CREATE INDEX consents_by_number ON consents (from_number, at, n);
CREATE INDEX consents_by_time ON consents (at);
CREATE INDEX consents_by_call ON consents (call);

CREATE TABLE recordings (
    id           TEXT PRIMARY KEY,
    call         TEXT NOT NULL REFERENCES calls (id),
    state        TEXT NOT NULL,         -- armed, recording, stored, discarded, destroyed, failed
    basis        TEXT NOT NULL,
    basis_detail TEXT,
    wrapped_key  BLOB,                  -- NULL: destroyed, nobody can play it any more
    armed_at     BIGINT NOT NULL,
    started_at   BIGINT,
    ended_at     BIGINT,                -- finished, salvaged, failed or discarded
    salvaged     BIGINT NOT NULL DEFAULT 0,
    destroyed_at BIGINT,
    samples      BIGINT,                -- per channel
    bytes        BIGINT,
    sha256       TEXT,
    gaps         TEXT,                  -- JSON
    unlisted     BIGINT,                -- silent samples that gaps does not list
    why          TEXT                   -- of the last change, where it has a reason
);
CREATE INDEX recordings_by_time ON recordings (armed_at);
CREATE INDEX recordings_by_call ON recordings (call);
CREATE INDEX recordings_unfinished ON recordings (armed_at) WHERE state IN ('armed', 'recording');

CREATE TABLE agent_states (
    agent TEXT PRIMARY KEY,
    state TEXT NOT NULL,                -- JSON
    at    BIGINT NOT NULL
);

CREATE TABLE settings (
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    version    BIGINT NOT NULL,         -- counts the changes of this object
    body       TEXT NOT NULL,           -- JSON
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE TABLE settings_generation (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    generation BIGINT NOT NULL          -- counts the changes of all settings
);
INSERT INTO settings_generation (id, generation) VALUES (1, 0);

-- The audit log: append-only, each row tied to the one before by its hash (domain rule 26).
CREATE TABLE audit (
    seq              INTEGER PRIMARY KEY,
    version          BIGINT NOT NULL,   -- of the encoding that was hashed
    at               BIGINT NOT NULL,
    class            TEXT NOT NULL,
    actor_kind       TEXT NOT NULL,
    actor            TEXT,
    action           TEXT NOT NULL,
    object_kind      TEXT NOT NULL,
    object_id        TEXT NOT NULL,
    attribute        TEXT,
    about            TEXT,              -- a plain value ...
    about_commitment BLOB,              -- ... or SHA-256 of salt and personal value
    old              TEXT,
    old_commitment   BLOB,
    new              TEXT,
    new_commitment   BLOB,
    hash             BLOB NOT NULL
);
CREATE INDEX audit_by_object ON audit (object_id, seq);
CREATE INDEX audit_by_class ON audit (class, seq);

-- Personal values of the log; deleting one erases it and leaves the chain whole.
CREATE TABLE audit_personal (
    seq   BIGINT NOT NULL REFERENCES audit (seq),
    field TEXT NOT NULL,                -- about, old, new
    salt  BLOB NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (seq, field)
);
CREATE INDEX audit_personal_by_value ON audit_personal (value);

-- The last row of the log, so that a cut end shows. Also the lock under which rows are chained.
CREATE TABLE audit_head (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    seq  BIGINT NOT NULL,
    hash BLOB NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, zeroblob(32));

-- Who listened to what, and why (domain rule 24).
CREATE TABLE listening_log (
    n         INTEGER PRIMARY KEY,
    at        BIGINT NOT NULL,
    recording TEXT NOT NULL REFERENCES recordings (id),
    who       TEXT NOT NULL,
    reason    TEXT
);
CREATE INDEX listening_log_by_recording ON listening_log (recording, n);

CREATE TRIGGER audit_in_order BEFORE INSERT ON audit
WHEN NEW.seq <> (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: rows come in order'); END;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: no row is changed'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: no row is deleted'); END;

CREATE TRIGGER audit_personal_once BEFORE INSERT ON audit_personal
WHEN EXISTS (SELECT 1 FROM audit_personal WHERE seq = NEW.seq AND field = NEW.field)
BEGIN SELECT RAISE(ABORT, 'a personal value of the audit log is written once'); END;
CREATE TRIGGER audit_personal_no_update BEFORE UPDATE ON audit_personal
BEGIN SELECT RAISE(ABORT, 'a personal value of the audit log can be erased, not changed'); END;

CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
WHEN NEW.seq < OLD.seq OR (NEW.seq = OLD.seq AND NEW.hash <> OLD.hash)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: its head only moves on'); END;
CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: its head stays'); END;
CREATE TRIGGER audit_head_once BEFORE INSERT ON audit_head
BEGIN SELECT RAISE(ABORT, 'the audit log has one head'); END;

CREATE TRIGGER listening_log_no_update BEFORE UPDATE ON listening_log
BEGIN SELECT RAISE(ABORT, 'the listening log is append-only: no row is changed'); END;
CREATE TRIGGER listening_log_no_delete BEFORE DELETE ON listening_log
BEGIN SELECT RAISE(ABORT, 'the listening log is append-only: no row is deleted'); END;
CREATE TRIGGER listening_log_no_replace BEFORE INSERT ON listening_log
WHEN EXISTS (SELECT 1 FROM listening_log WHERE n = NEW.n)
BEGIN SELECT RAISE(ABORT, 'the listening log is append-only: no row is replaced'); END;
