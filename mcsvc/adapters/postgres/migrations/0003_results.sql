-- What came of each job: a serialised montecarlo.v1.SimulationResult and its SHA-256 without elapsed_s.
CREATE TABLE IF NOT EXISTS results (
    job_id uuid PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    data bytea NOT NULL,
    digest text NOT NULL
);
