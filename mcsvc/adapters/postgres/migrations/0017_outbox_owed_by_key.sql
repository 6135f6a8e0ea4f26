-- For the relay: earlier unsent events of a key. As a CASE, which the statements repeat, the planner can use no other index
-- for it, whatever its statistics say.
CREATE INDEX IF NOT EXISTS outbox_owed_by_key ON outbox ((CASE WHEN sent_time IS NULL THEN event_key END), create_time, id);
