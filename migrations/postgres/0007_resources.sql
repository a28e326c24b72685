-- Lists of calls, consents and recordings: by queue, agent, answer and the last digits of a number, each page by an
-- index; who is restricted; data attached to calls; nodes; SIP messages of a call.

-- Whose data is restricted (domain rule 20): nobody without the right `dpo` sees the call, its consents and recordings.
ALTER TABLE calls ADD COLUMN restricted_at BIGINT;

-- The number's characters from the last to the first, without `+`. Computed, so that it goes where the number goes.
ALTER TABLE calls ADD COLUMN from_reversed TEXT COLLATE "C" GENERATED ALWAYS AS (
    CASE WHEN from_number LIKE '+%' THEN left(reverse(from_number), -1) END) STORED;
ALTER TABLE consents ADD COLUMN from_reversed TEXT COLLATE "C" GENERATED ALWAYS AS (
    CASE WHEN from_number LIKE '+%' THEN left(reverse(from_number), -1) END) STORED;

-- What is indexed is compared octet by octet, as everywhere here.
ALTER TABLE calls ALTER COLUMN first_queue TYPE TEXT COLLATE "C", ALTER COLUMN agent TYPE TEXT COLLATE "C";
ALTER TABLE consents ALTER COLUMN queue TYPE TEXT COLLATE "C", ALTER COLUMN answer TYPE TEXT COLLATE "C";

DROP INDEX calls_by_time;
CREATE INDEX calls_by_time ON calls (arrived_at, id);
CREATE INDEX calls_by_queue ON calls (first_queue, arrived_at, id);
CREATE INDEX calls_by_agent ON calls (agent, arrived_at, id) WHERE agent IS NOT NULL;
CREATE INDEX calls_by_last_digits ON calls (from_reversed, arrived_at, id) WHERE from_reversed IS NOT NULL;
CREATE INDEX calls_unconnected ON calls (arrived_at, id) WHERE connected_at IS NULL;
CREATE INDEX calls_restricted ON calls (arrived_at, id) WHERE restricted_at IS NOT NULL;

DROP INDEX consents_by_time;
CREATE INDEX consents_by_time ON consents (at, n);
CREATE INDEX consents_by_queue ON consents (queue, at, n);
CREATE INDEX consents_by_answer ON consents (answer, at, n);
CREATE INDEX consents_by_last_digits ON consents (from_reversed, at, n) WHERE from_reversed IS NOT NULL;

-- The call's first queue once more, so that a queue's recordings are a range of an index.
ALTER TABLE recordings ADD COLUMN queue TEXT COLLATE "C";
UPDATE recordings SET queue = (SELECT c.first_queue FROM calls c WHERE c.id = recordings.call);
CREATE INDEX recordings_by_queue ON recordings (queue, armed_at, id);

-- What a page or a machine attached to a call: erased when the call is anonymised.
CREATE TABLE call_data (
    call  TEXT COLLATE "C" NOT NULL REFERENCES calls (id),
    key   TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    at    BIGINT NOT NULL,              -- when it was set
    PRIMARY KEY (call, key)
);
CREATE INDEX call_data_by_time ON call_data (at, call);
CREATE INDEX notes_by_time ON notes (at, call);
CREATE INDEX listening_log_by_time ON listening_log (at, n);

-- The servers that share this database, each by its spool.
CREATE TABLE nodes (
    id       TEXT COLLATE "C" PRIMARY KEY,
    version  TEXT NOT NULL,
    since    BIGINT NOT NULL,
    seen_at  BIGINT NOT NULL,
    calls    BIGINT NOT NULL,
    draining BIGINT NOT NULL
);

-- The SIP messages of a call, without bodies and numbers.
CREATE TABLE sip_traces (
    call     TEXT COLLATE "C" PRIMARY KEY REFERENCES calls (id),
    messages TEXT NOT NULL,             -- JSON
    cut      BIGINT NOT NULL            -- there were more
);
