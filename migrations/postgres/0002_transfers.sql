-- Legs to the outside, legs that called in, transfers to numbers.
--
-- Numbers are E.164, as `calls.from_number` is, and go with it when the call is anonymised.

ALTER TABLE legs ADD COLUMN direction TEXT NOT NULL DEFAULT 'out';  -- in: they called us; out: we called
ALTER TABLE legs ADD COLUMN trunk TEXT;                             -- it goes by, to the outside
ALTER TABLE legs ADD COLUMN outside_number TEXT;                    -- whom we called there
UPDATE legs SET direction = 'in' WHERE n = 0;

ALTER TABLE call_events ADD COLUMN outside_number TEXT;             -- transferred or consulted
