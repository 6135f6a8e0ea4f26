-- For lists of one trigger, newest first.
CREATE INDEX IF NOT EXISTS jobs_by_trigger ON jobs (trigger_kind, create_time, id);
