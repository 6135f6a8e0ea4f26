-- For the relay: earlier unsent events of a key.
CREATE INDEX IF NOT EXISTS outbox_unsent_by_key ON outbox (event_key, create_time, id) WHERE sent_time IS NULL;
