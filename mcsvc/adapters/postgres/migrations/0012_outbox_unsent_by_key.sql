-- For the relay of versions before 0017: earlier unsent events of a key. The next version drops it.
CREATE INDEX IF NOT EXISTS outbox_unsent_by_key ON outbox (event_key, create_time, id) WHERE sent_time IS NULL;
