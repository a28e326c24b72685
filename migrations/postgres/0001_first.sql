-- Calls, consents, recordings, agents, settings and the audit log: the tables of `migrations/sqlite`.
--
-- Times are microseconds since 1970 UTC, ids are ULID text, JSON is text, truth values are 0 and 1. What is
-- indexed or ordered by is compared octet by octet (COLLATE "C"): lists come in the same order as from SQLite,
-- and no index depends on the system's locales, which change with its updates.

CREATE TABLE calls (
    id            TEXT COLLATE "C" PRIMARY KEY,
    arrived_at    BIGINT NOT NULL,
    from_number   TEXT COLLATE "C",     -- E.164; NULL: withheld
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
    call         TEXT COLLATE "C" NOT NULL REFERENCES calls (id),
    n            BIGINT NOT NULL,       -- 0: the caller's
    agent        TEXT COLLATE "C",
    dialled_at   BIGINT NOT NULL,
    connected_at BIGINT,
    ended_at     BIGINT,
    cause        TEXT,
    quality      TEXT,                  -- JSON: packets, loss, jitter
    PRIMARY KEY (call, n)
);

-- What happened in a call, for showing it; the proof is the audit log.
CREATE TABLE call_events (
    n      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call   TEXT COLLATE "C" NOT NULL REFERENCES calls (id),
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
    n               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call            TEXT COLLATE "C" NOT NULL REFERENCES calls (id),
    from_number     TEXT COLLATE "C",   -- NULL: withheld, holds for this call only
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
    id           TEXT COLLATE "C" PRIMARY KEY,
    call         TEXT COLLATE "C" NOT NULL REFERENCES calls (id),
    state        TEXT NOT NULL,         -- armed, recording, stored, discarded, destroyed, failed
    basis        TEXT NOT NULL,
    basis_detail TEXT,
    wrapped_key  BYTEA,                 -- NULL: destroyed, nobody can play it any more
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
    agent TEXT COLLATE "C" PRIMARY KEY,
    state TEXT NOT NULL,                -- JSON
    at    BIGINT NOT NULL
);

CREATE TABLE settings (
    kind       TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
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
    seq              BIGINT PRIMARY KEY,
    version          BIGINT NOT NULL,   -- of the encoding that was hashed
    at               BIGINT NOT NULL,
    class            TEXT COLLATE "C" NOT NULL,
    actor_kind       TEXT NOT NULL,
    actor            TEXT,
    action           TEXT NOT NULL,
    object_kind      TEXT NOT NULL,
    object_id        TEXT COLLATE "C" NOT NULL,
    attribute        TEXT,
    about            TEXT,              -- a plain value ...
    about_commitment BYTEA,             -- ... or SHA-256 of salt and personal value
    old              TEXT,
    old_commitment   BYTEA,
    new              TEXT,
    new_commitment   BYTEA,
    hash             BYTEA NOT NULL
);
CREATE INDEX audit_by_object ON audit (object_id, seq);
CREATE INDEX audit_by_class ON audit (class, seq);

-- Personal values of the log; deleting one erases it and leaves the chain whole.
CREATE TABLE audit_personal (
    seq   BIGINT NOT NULL REFERENCES audit (seq),
    field TEXT COLLATE "C" NOT NULL,    -- about, old, new
    salt  BYTEA NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (seq, field)
);
-- By hash: a written reason may be longer than a sorted index takes.
CREATE INDEX audit_personal_by_value ON audit_personal USING hash (value);

-- The last row of the log, so that a cut end shows. Also the lock under which rows are chained.
CREATE TABLE audit_head (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    seq  BIGINT NOT NULL,
    hash BYTEA NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

-- Who listened to what, and why (domain rule 24).
CREATE TABLE listening_log (
    n         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        BIGINT NOT NULL,
    recording TEXT COLLATE "C" NOT NULL REFERENCES recordings (id),
    who       TEXT COLLATE "C" NOT NULL,
    reason    TEXT
);
CREATE INDEX listening_log_by_recording ON listening_log (recording, n);

-- What may not be changed says so with its trigger's argument. TRUNCATE passes row triggers by, hence a
-- trigger of its own. A superuser can take triggers out; then the chain shows what was done.
CREATE FUNCTION sayso_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION sayso_audit_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq <> (SELECT COALESCE(MAX(a.seq), 0) + 1 FROM audit a) THEN
        RAISE EXCEPTION 'the audit log is append-only: rows come in order' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER audit_in_order BEFORE INSERT ON audit
    FOR EACH ROW EXECUTE FUNCTION sayso_audit_in_order();
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('the audit log is append-only: no row is changed');
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('the audit log is append-only: no row is deleted');
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION sayso_refuse('the audit log is append-only: no row is deleted');

CREATE FUNCTION sayso_audit_personal_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM audit_personal p WHERE p.seq = NEW.seq AND p.field = NEW.field) THEN
        RAISE EXCEPTION 'a personal value of the audit log is written once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER audit_personal_once BEFORE INSERT ON audit_personal
    FOR EACH ROW EXECUTE FUNCTION sayso_audit_personal_once();
CREATE TRIGGER audit_personal_no_update BEFORE UPDATE ON audit_personal
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('a personal value of the audit log can be erased, not changed');

CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
    FOR EACH ROW WHEN (NEW.seq < OLD.seq OR (NEW.seq = OLD.seq AND NEW.hash <> OLD.hash))
    EXECUTE FUNCTION sayso_refuse('the audit log is append-only: its head only moves on');
CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('the audit log is append-only: its head stays');
CREATE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION sayso_refuse('the audit log is append-only: its head stays');
CREATE TRIGGER audit_head_once BEFORE INSERT ON audit_head
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('the audit log has one head');

-- A row with a number that is taken is refused by the key.
CREATE TRIGGER listening_log_no_update BEFORE UPDATE ON listening_log
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('the listening log is append-only: no row is changed');
CREATE TRIGGER listening_log_no_delete BEFORE DELETE ON listening_log
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('the listening log is append-only: no row is deleted');
CREATE TRIGGER listening_log_no_truncate BEFORE TRUNCATE ON listening_log
    FOR EACH STATEMENT EXECUTE FUNCTION sayso_refuse('the listening log is append-only: no row is deleted');
