-- Events owed to Kafka, written with the change they tell of.
CREATE TABLE IF NOT EXISTS outbox (
    id text PRIMARY KEY,
    topic text NOT NULL,
    event_key text NOT NULL,
    payload bytea NOT NULL,
    headers jsonb NOT NULL,
    create_time timestamptz NOT NULL,
    held_until timestamptz NOT NULL,
    sent_time timestamptz
);
