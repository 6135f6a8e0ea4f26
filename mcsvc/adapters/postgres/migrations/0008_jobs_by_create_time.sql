-- For lists, newest first.
CREATE INDEX IF NOT EXISTS jobs_by_create_time ON jobs (create_time, id);
