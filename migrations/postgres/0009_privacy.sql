-- People's data (domain rules 17-21): the last digits of numbers outside, words of what is attached to calls, the
-- directory, what was asked about people and by whom, consents that were reset.

-- From the last digit to the first, without `+`, as `calls.from_reversed`.
ALTER TABLE legs ADD COLUMN outside_reversed TEXT COLLATE "C" GENERATED ALWAYS AS (
    CASE WHEN outside_number LIKE '+%' THEN left(reverse(outside_number), -1) END) STORED;
ALTER TABLE call_events ADD COLUMN outside_reversed TEXT COLLATE "C" GENERATED ALWAYS AS (
    CASE WHEN outside_number LIKE '+%' THEN left(reverse(outside_number), -1) END) STORED;
CREATE INDEX legs_by_last_digits ON legs (outside_reversed, dialled_at, call) WHERE outside_reversed IS NOT NULL;
CREATE INDEX call_events_by_last_digits ON call_events (outside_reversed, at, call)
    WHERE outside_reversed IS NOT NULL;

-- The words of a call's attached data; they go with it, whoever removes or changes it.
CREATE TABLE call_words (
    word TEXT COLLATE "C" NOT NULL,
    call TEXT COLLATE "C" NOT NULL REFERENCES calls (id),
    PRIMARY KEY (word, call)
);
CREATE INDEX call_words_by_call ON call_words (call);

-- People on lists: a directory, outbound lists.
CREATE TABLE directory (
    id        TEXT COLLATE "C" PRIMARY KEY,
    list      TEXT COLLATE "C" NOT NULL,
    name      TEXT NOT NULL,
    number    TEXT COLLATE "C",                -- E.164
    reversed  TEXT COLLATE "C",                -- its digits from the last to the first
    email     TEXT,
    email_key TEXT COLLATE "C",                -- as it is compared
    note      TEXT,
    at        BIGINT NOT NULL        -- when it was added or changed last
);
CREATE UNIQUE INDEX directory_once_by_number ON directory (list, number) WHERE number IS NOT NULL;
CREATE UNIQUE INDEX directory_once_by_email ON directory (list, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX directory_by_time ON directory (at, id);
CREATE INDEX directory_by_last_digits ON directory (reversed, id) WHERE reversed IS NOT NULL;
CREATE INDEX directory_by_email ON directory (email_key, id) WHERE email_key IS NOT NULL;

CREATE TABLE directory_words (
    word  TEXT COLLATE "C" NOT NULL,
    entry TEXT COLLATE "C" NOT NULL REFERENCES directory (id) ON DELETE CASCADE,
    PRIMARY KEY (word, entry)
);
CREATE INDEX directory_words_by_entry ON directory_words (entry);

-- What was asked about people.
CREATE TABLE privacy_tasks (
    id             TEXT COLLATE "C" PRIMARY KEY,
    kind           TEXT NOT NULL,    -- report, zip, erase, restrict, unrestrict, move, consents
    state          TEXT COLLATE "C" NOT NULL,  -- waiting-for-approval, waiting, running, done, failed, refused
    by_user        TEXT NOT NULL,
    at             BIGINT NOT NULL,
    reason         TEXT NOT NULL,    -- free text of a person
    consents       BIGINT NOT NULL,  -- 1: of the people, too
    number         TEXT,             -- consents: whose; NULL: everybody's. Goes when it is done
    approved_by    TEXT,             -- or refused by
    approved_at    BIGINT,
    stage          BIGINT NOT NULL DEFAULT 0, -- how far it is, in steps that are not taken again
    what           TEXT,             -- how it ended, in words
    ended_at       BIGINT,
    expires_at     BIGINT,           -- then its file goes
    file_spool     TEXT,             -- beside this spool lies what was made
    file_key       BYTEA,            -- its data key, wrapped; NULL: there is none, or it cannot be read any more
    file_type      TEXT,
    file_bytes     BIGINT,
    file_sha256    TEXT,             -- of the content
    archive        TEXT,             -- move: the file that was made and read back
    archive_sha256 TEXT,
    certificate    TEXT,             -- erase, move: signed JSON
    calls          BIGINT NOT NULL,
    recordings     BIGINT NOT NULL,
    consent_rows   BIGINT NOT NULL,
    entries        BIGINT NOT NULL
);
CREATE INDEX privacy_tasks_by_time ON privacy_tasks (at, id);
CREATE INDEX privacy_tasks_open ON privacy_tasks (at, id)
    WHERE state IN ('waiting-for-approval', 'waiting', 'running');
CREATE INDEX privacy_tasks_with_file ON privacy_tasks (expires_at) WHERE file_key IS NOT NULL;

CREATE TABLE privacy_task_calls (
    task  TEXT COLLATE "C" NOT NULL REFERENCES privacy_tasks (id),
    call  TEXT COLLATE "C" NOT NULL,           -- a call may go by retention meanwhile
    state TEXT NOT NULL DEFAULT 'waiting', -- waiting, done, refused
    what  TEXT,                      -- why it is refused
    PRIMARY KEY (task, call)
);
CREATE INDEX privacy_task_calls_by_call ON privacy_task_calls (call, task);

CREATE TABLE privacy_task_entries (
    task  TEXT COLLATE "C" NOT NULL REFERENCES privacy_tasks (id),
    entry TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (task, entry)
);
CREATE INDEX privacy_task_entries_by_entry ON privacy_task_entries (entry, task);

-- A consent that was reset is history: the caller is asked again. One row here resets all that were given before it.
ALTER TABLE consents ADD COLUMN reset_at BIGINT;
CREATE TABLE consent_resets (
    n       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      BIGINT NOT NULL,
    by_user TEXT NOT NULL,
    task    TEXT NOT NULL
);
CREATE INDEX consent_resets_by_time ON consent_resets (at);

CREATE FUNCTION sayso_call_words_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM call_words w WHERE w.call = OLD.call;
    RETURN NULL;
END $$;
CREATE TRIGGER call_data_words_go AFTER DELETE ON call_data
    FOR EACH ROW EXECUTE FUNCTION sayso_call_words_go();
CREATE TRIGGER call_data_words_change AFTER UPDATE OF value ON call_data
    FOR EACH ROW EXECUTE FUNCTION sayso_call_words_go();
