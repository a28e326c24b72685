-- Prompts that were imported: kept here, so that every server plays them. A sound is never removed, as a stored consent
-- names the question it was given to by its version.
CREATE TABLE prompt_sounds (
    version TEXT PRIMARY KEY,          -- SHA-256 (hex) of what is played
    narrow  BLOB NOT NULL,                 -- what is played: WAV, 8 kHz, one channel
    wide    BLOB NOT NULL,                 -- the same in 16 kHz, for the console
    millis  BIGINT NOT NULL
);

-- A prompt is `QUEUE~LANGUAGE~NAME`, or `LANGUAGE~NAME` for all queues.
CREATE TABLE prompt_versions (
    prompt  TEXT NOT NULL,
    version TEXT NOT NULL REFERENCES prompt_sounds (version),
    at      BIGINT NOT NULL,                -- first put in force
    who     TEXT NOT NULL,
    PRIMARY KEY (prompt, version)
);

-- Which version is in force; without a row it is the one of the folder, or the shipped one.
CREATE TABLE prompts (
    prompt  TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    FOREIGN KEY (prompt, version) REFERENCES prompt_versions (prompt, version)
);

-- What a version says, as somebody noted it: of shipped ones, too.
CREATE TABLE prompt_texts (
    prompt  TEXT NOT NULL,
    version TEXT NOT NULL,
    text    TEXT NOT NULL,
    PRIMARY KEY (prompt, version)
);
