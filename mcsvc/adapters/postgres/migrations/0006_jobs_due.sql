-- For the claim by age alone: pending jobs, longest due first.
CREATE INDEX IF NOT EXISTS jobs_due ON jobs (run_after, id) WHERE state = 'pending';
