-- For the rescue: running jobs by the end of their lease.
CREATE INDEX IF NOT EXISTS jobs_lease ON jobs (lease_until, id) WHERE state = 'running';
