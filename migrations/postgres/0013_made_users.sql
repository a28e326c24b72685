-- Users whom a provider made at their first log-in: what they may is the provider's word alone, also when the provider is
-- set anew and nobody of it is known any more.
CREATE TABLE made_users (
    name     TEXT COLLATE "C" PRIMARY KEY,
    provider TEXT NOT NULL,
    at       BIGINT NOT NULL
);
INSERT INTO made_users (name, provider, at)
    SELECT name, MIN(provider), MIN(at) FROM identities WHERE made = 1 GROUP BY name;
