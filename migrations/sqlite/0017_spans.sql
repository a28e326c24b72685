-- Words with the time of their call, so that a search reads what is of its span, the latest first, and no call for it. A
-- word is still two entries: one in the table, one in the index; each is eight octets longer.
DROP TRIGGER call_data_words_go;
DROP TRIGGER call_data_words_change;
CREATE TABLE call_words_in_time (
    word TEXT NOT NULL,
    at   BIGINT NOT NULL,            -- when the call arrived
    call TEXT NOT NULL REFERENCES calls (id),
    PRIMARY KEY (word, at, call)
) WITHOUT ROWID;
INSERT INTO call_words_in_time (word, at, call)
    SELECT w.word, c.arrived_at, w.call FROM call_words w JOIN calls c ON c.id = w.call ORDER BY 1, 2, 3;
DROP TABLE call_words;
ALTER TABLE call_words_in_time RENAME TO call_words;
CREATE INDEX call_words_by_call ON call_words (call, word);
CREATE TRIGGER call_data_words_go AFTER DELETE ON call_data
BEGIN DELETE FROM call_words WHERE call = OLD.call; END;
CREATE TRIGGER call_data_words_change AFTER UPDATE OF value ON call_data
BEGIN DELETE FROM call_words WHERE call = OLD.call; END;

-- Calls of more than four hours: of all others it is known how far apart their times can be, so that lists by one time are
-- narrowed down by another. Hardly any call is in it: it costs an append nothing but the comparison.
CREATE INDEX calls_long ON calls (arrived_at, id) WHERE ended_at - arrived_at > 14400000000;
