-- Earlier passwords, second factors, providers, tokens for machines.

-- Who logged in by an OpenID Connect provider; NULL: with a password.
ALTER TABLE sessions ADD COLUMN provider TEXT;

-- The passwords a user has had, the latest last: by argon2id.
CREATE TABLE passwords (
    n    INTEGER PRIMARY KEY,
    name TEXT NOT NULL,                 -- the user
    at   BIGINT NOT NULL,               -- when it was set
    hash TEXT NOT NULL
);
CREATE INDEX passwords_by_name ON passwords (name, at, n);
INSERT INTO passwords (name, at, hash)
    SELECT name, changed_at, json_extract(body, '$.password_hash') FROM settings WHERE kind = 'user';

-- The second factor of a user: TOTP (RFC 6238).
CREATE TABLE second_factors (
    name      TEXT PRIMARY KEY,
    secret    TEXT NOT NULL,            -- sealed by a key that is not in the database
    begun     BIGINT NOT NULL,
    confirmed BIGINT,                   -- NULL: no code of it was seen yet, it does not count
    step      BIGINT                    -- of the last code that was used: none is good twice
);

CREATE TABLE recovery_codes (
    name TEXT NOT NULL,
    hash TEXT NOT NULL,                 -- SHA-256 of user and code
    used BIGINT,
    PRIMARY KEY (name, hash)
);

CREATE TABLE log_ins (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);

-- Who somebody of a provider is here. A provider's names may be given to another; its subjects never are.
CREATE TABLE identities (
    provider TEXT NOT NULL,
    subject  TEXT NOT NULL,
    name     TEXT NOT NULL,
    made     BIGINT NOT NULL,           -- 1: the user was made at the first log-in by it
    at       BIGINT NOT NULL,
    PRIMARY KEY (provider, subject)
);
CREATE UNIQUE INDEX identities_by_name ON identities (provider, name);
CREATE INDEX identities_of_user ON identities (name);

-- Tokens for machines.
CREATE TABLE tokens (
    id      TEXT PRIMARY KEY,
    hash    TEXT NOT NULL UNIQUE,       -- SHA-256 of the token
    name    TEXT NOT NULL,
    maker   TEXT NOT NULL,              -- the user: it never has more rights than this one
    rights  TEXT NOT NULL,              -- words, a space between
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    used    BIGINT,                     -- to the minute
    revoked BIGINT
);
CREATE INDEX tokens_by_time ON tokens (created, id);
CREATE INDEX tokens_by_maker ON tokens (maker);
