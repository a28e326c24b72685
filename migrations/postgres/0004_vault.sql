-- The vault: where recordings lie and under which key, what is still to be done about them, what is proven gone.

-- The spool of the node that took the call: when that node starts again, it ends the calls it died in.
ALTER TABLE calls ADD COLUMN node TEXT COLLATE "C";

-- States: armed, recording, finished (whole in the spool), stored (verified in the object store), discarded, failed,
-- destroyed (the key is gone), removed (no copy is left).
ALTER TABLE recordings ADD COLUMN kek TEXT COLLATE "C";    -- wrapped the key; NULL: no key, or an older Sayso's
ALTER TABLE recordings ADD COLUMN spool TEXT COLLATE "C";  -- its file lies there; NULL: an older Sayso's
ALTER TABLE recordings ADD COLUMN format TEXT NOT NULL DEFAULT 'pcm16'
    CHECK (format IN ('pcm16', 'ulaw', 'alaw', 'opus'));
ALTER TABLE recordings ADD COLUMN encoded_at BIGINT;
ALTER TABLE recordings ADD COLUMN object_name TEXT COLLATE "C";
ALTER TABLE recordings ADD COLUMN object_place TEXT;       -- which store: s3://bucket/prefix, a folder
ALTER TABLE recordings ADD COLUMN object_version TEXT;
ALTER TABLE recordings ADD COLUMN object_bytes BIGINT;
ALTER TABLE recordings ADD COLUMN object_checksum TEXT;
ALTER TABLE recordings ADD COLUMN object_encryption TEXT CHECK (object_encryption IN ('sealed', 'store'));
ALTER TABLE recordings ADD COLUMN unsettled_at BIGINT;     -- a put before this may have had an end nobody saw: it may land late
ALTER TABLE recordings ADD COLUMN stored_at BIGINT;
ALTER TABLE recordings ADD COLUMN rule TEXT;               -- by which it was destroyed
ALTER TABLE recordings ADD COLUMN destroyed_by TEXT;
ALTER TABLE recordings ADD COLUMN removed_at BIGINT;
-- Room on a page for a row's next versions: they are written over what was destroyed.
ALTER TABLE recordings SET (fillfactor = 70);
DROP INDEX recordings_by_time;
CREATE INDEX recordings_by_time ON recordings (armed_at, id);
CREATE INDEX recordings_by_state ON recordings (state, armed_at, id);
CREATE INDEX recordings_by_kek ON recordings (kek, id) WHERE wrapped_key IS NOT NULL;
CREATE INDEX recordings_spooled ON recordings (spool, id)
    WHERE state IN ('armed', 'recording', 'failed', 'finished');

-- What is to be done. A row goes when it is done; one runner at a time holds a subject.
CREATE TABLE jobs (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- never used again: a runner may still name it
    kind         TEXT COLLATE "C" NOT NULL, -- rescue, encode, upload, destroy, reconcile
    subject      TEXT COLLATE "C" NOT NULL, -- a recording, a reconciliation
    spool        TEXT COLLATE "C",      -- only its node can do it; NULL: any can
    attempts     BIGINT NOT NULL DEFAULT 0,
    created      BIGINT NOT NULL,
    due          BIGINT NOT NULL,       -- not before
    leased_by    TEXT,
    leased_until BIGINT,
    error        TEXT,                  -- of the last attempt that failed
    done         BIGINT,                -- how far it is ...
    total        BIGINT                 -- ... of how much
);
CREATE UNIQUE INDEX jobs_once ON jobs (kind, subject);
CREATE INDEX jobs_by_subject ON jobs (subject);
CREATE INDEX jobs_by_due ON jobs (kind, spool, due, id);

-- The keys that wrap recordings' keys.
CREATE TABLE keks (
    id         TEXT COLLATE "C" PRIMARY KEY, -- 16 hex digits
    provider   TEXT NOT NULL,           -- file, kms
    state      TEXT NOT NULL,           -- current, retiring, retired
    wrapped    BYTEA,                   -- as KMS wrapped it; NULL: in the key file, or retired
    made_at    BIGINT NOT NULL,
    retired_at BIGINT
);
CREATE UNIQUE INDEX keks_current ON keks (state) WHERE state = 'current';

-- The proof that a recording is gone, signed.
CREATE TABLE certificates (
    recording TEXT COLLATE "C" PRIMARY KEY REFERENCES recordings (id),
    at        BIGINT NOT NULL,
    sha256    TEXT NOT NULL,            -- of the text, as the audit log has it
    text      TEXT NOT NULL
);
CREATE INDEX certificates_by_time ON certificates (at, recording);

-- A second one is refused by the key.
CREATE TRIGGER certificates_no_update BEFORE UPDATE ON certificates
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('a deletion certificate is not changed');
CREATE TRIGGER certificates_no_delete BEFORE DELETE ON certificates
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('a deletion certificate is not deleted');
CREATE TRIGGER certificates_no_truncate BEFORE TRUNCATE ON certificates
    FOR EACH STATEMENT EXECUTE FUNCTION sayso_refuse('a deletion certificate is not deleted');

-- What a comparison of calls, recordings and the object store saw.
CREATE TABLE reconciliations (
    id       TEXT COLLATE "C" PRIMARY KEY,
    state    TEXT NOT NULL,             -- running, ended, failed
    by_whom  TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    ended_at BIGINT,
    counts   TEXT,                      -- JSON
    why      TEXT                       -- it failed
);
CREATE INDEX reconciliations_by_time ON reconciliations (began_at, id);

CREATE TABLE reconciliation_findings (
    n              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reconciliation TEXT COLLATE "C" NOT NULL REFERENCES reconciliations (id),
    kind           TEXT COLLATE "C" NOT NULL,
    subject        TEXT COLLATE "C" NOT NULL, -- an object's name, a recording's or a call's id
    detail         TEXT NOT NULL,
    resolved_at    BIGINT,
    resolved_by    TEXT
);
CREATE UNIQUE INDEX reconciliation_findings_once ON reconciliation_findings (reconciliation, kind, subject);
CREATE INDEX reconciliation_findings_in_order ON reconciliation_findings (reconciliation, n);
CREATE INDEX reconciliation_findings_by_kind ON reconciliation_findings (reconciliation, kind, n);

-- What an older Sayso kept lies in its spool still; what it destroyed is yet to be proven gone.
INSERT INTO jobs (kind, subject, created, due)
    SELECT 'upload', id, COALESCE(ended_at, armed_at), COALESCE(ended_at, armed_at)
    FROM recordings WHERE state = 'stored' ORDER BY id;
INSERT INTO jobs (kind, subject, created, due)
    SELECT 'destroy', id, COALESCE(destroyed_at, armed_at), COALESCE(destroyed_at, armed_at)
    FROM recordings WHERE state = 'destroyed' ORDER BY id;
UPDATE recordings SET state = 'finished' WHERE state = 'stored';
UPDATE recordings SET rule = 'withdrawn', destroyed_by = 'system' WHERE state = 'destroyed';
