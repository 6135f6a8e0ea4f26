-- For the relay: events not yet sent, oldest first.
CREATE INDEX IF NOT EXISTS outbox_unsent ON outbox (create_time, id) WHERE sent_time IS NULL;
