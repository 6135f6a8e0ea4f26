-- Where the next attempt of an unfinished job goes on from.
CREATE TABLE IF NOT EXISTS checkpoints (
    job_id uuid PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    data bytea NOT NULL
);
