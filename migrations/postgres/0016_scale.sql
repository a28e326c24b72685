-- Whether something of a call was captured, which reports ask for each of millions of calls: answered by the index alone.
CREATE INDEX recordings_started ON recordings (call) WHERE started_at IS NOT NULL;
-- A queue's recordings in one state, of which there may be few among many.
CREATE INDEX recordings_by_queue_and_state ON recordings (queue, state, armed_at, id);
