-- Words with the time of their call, so that a search reads what is of its span, the latest first, and no call for it. A
-- word has the same entries as before, its row and two; each is eight octets longer, that by call has the word too.
SET LOCAL statement_timeout = 0;
CREATE TABLE call_words_in_time (
    word TEXT COLLATE "C" NOT NULL,
    at   BIGINT NOT NULL,            -- when the call arrived
    call TEXT COLLATE "C" NOT NULL
);
INSERT INTO call_words_in_time (word, at, call)
    SELECT w.word, c.arrived_at, w.call FROM call_words w JOIN calls c ON c.id = w.call ORDER BY 1, 2, 3;
DROP TABLE call_words;
ALTER TABLE call_words_in_time RENAME TO call_words;
ALTER TABLE call_words ADD PRIMARY KEY (word, at, call);
ALTER TABLE call_words ADD FOREIGN KEY (call) REFERENCES calls (id);
CREATE INDEX call_words_by_call ON call_words (call, word);

-- Calls of more than four hours: of all others it is known how far apart their times can be, so that lists by one time are
-- narrowed down by another. Hardly any call is in it: it costs an append nothing but the comparison.
CREATE INDEX calls_long ON calls (arrived_at, id) WHERE ended_at - arrived_at > 14400000000;
