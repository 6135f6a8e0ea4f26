-- What each job simulates: a serialised montecarlo.engine.v1.SimulateInput and its SHA-256.
CREATE TABLE IF NOT EXISTS inputs (
    job_id uuid PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    data bytea NOT NULL,
    digest text NOT NULL
);
