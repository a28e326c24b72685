-- Keys of persons for what the audit log says of them, where its head was anchored, events on their way to webhooks.

-- A personal value is sealed under the key of the person it is about; without the key it is erased. A person is known by
-- HMAC-SHA256 of kind and value under the secret of this database. Ids are never used again: what an erased person's
-- key sealed must not meet another key.
CREATE TABLE audit_secret (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    secret BYTEA NOT NULL
);
CREATE TABLE persons (
    id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lookup BYTEA NOT NULL UNIQUE,
    key    BYTEA NOT NULL
);

-- All personal values of a row of the log, sealed together (AES-256-GCM): nonce, ciphertext, tag. What `audit_personal`
-- still holds in plain moves here when a server starts.
CREATE TABLE audit_sealed (
    seq    BIGINT PRIMARY KEY REFERENCES audit (seq),
    person BIGINT NOT NULL,
    sealed BYTEA NOT NULL
);
CREATE INDEX audit_sealed_by_person ON audit_sealed (person, seq);

-- A second one is refused by the key.
CREATE TRIGGER audit_sealed_no_update BEFORE UPDATE ON audit_sealed
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('a personal value of the audit log can be erased, not changed');
CREATE TRIGGER persons_no_update BEFORE UPDATE ON persons
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('a key of the audit log can be destroyed, not changed');

-- Where the head of the log was anchored: one row for each place and time.
CREATE TABLE anchors (
    n         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seq       BIGINT NOT NULL,
    hash      BYTEA NOT NULL,
    at        BIGINT NOT NULL,
    place     TEXT NOT NULL,            -- a file, `store`, `webhook NAME`
    state     TEXT NOT NULL,            -- anchored, failed
    what      TEXT,                     -- the object's name; why it failed
    statement TEXT NOT NULL             -- as it was signed
);
CREATE TRIGGER anchors_no_update BEFORE UPDATE ON anchors
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('an anchor of the audit log is not changed');
CREATE TRIGGER anchors_no_delete BEFORE DELETE ON anchors
    FOR EACH ROW EXECUTE FUNCTION sayso_refuse('an anchor of the audit log is not deleted');
CREATE TRIGGER anchors_no_truncate BEFORE TRUNCATE ON anchors
    FOR EACH STATEMENT EXECUTE FUNCTION sayso_refuse('an anchor of the audit log is not deleted');

-- Whose turn it is to anchor: one node at a time.
CREATE TABLE anchor_turn (
    id           BIGINT PRIMARY KEY CHECK (id = 1),
    leased_by    TEXT,
    leased_until BIGINT,
    anchored_at  BIGINT,                -- everywhere it should be
    failures     BIGINT NOT NULL DEFAULT 0,
    due          BIGINT                 -- after a failure: not before
);
INSERT INTO anchor_turn (id) VALUES (1);

-- Events on their way to webhooks, and what became of them.
CREATE TABLE webhook_deliveries (
    id           TEXT COLLATE "C" PRIMARY KEY, -- a ULID: the order in which they came
    webhook      TEXT COLLATE "C" NOT NULL,
    event        TEXT NOT NULL,
    body         TEXT NOT NULL,         -- JSON, as it is signed; no personal data
    at           BIGINT NOT NULL,
    state        TEXT NOT NULL,         -- waiting, delivered, failed
    attempts     BIGINT NOT NULL DEFAULT 0,
    due          BIGINT NOT NULL,
    leased_by    TEXT,
    leased_until BIGINT,
    status       BIGINT,                -- of the last answer
    what         TEXT,                  -- why the last attempt failed
    ended_at     BIGINT
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, due, id) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_by_name ON webhook_deliveries (webhook, id);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;
