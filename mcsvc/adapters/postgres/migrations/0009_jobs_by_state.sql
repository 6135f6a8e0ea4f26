-- For lists of one state, newest first.
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, create_time, id);
