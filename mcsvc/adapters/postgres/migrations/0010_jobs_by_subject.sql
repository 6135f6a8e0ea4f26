-- For lists of one assessment's or funded account's jobs, newest first, and for the daily sweep.
CREATE INDEX IF NOT EXISTS jobs_by_subject ON jobs (subject_kind, subject_ref, create_time, id);
