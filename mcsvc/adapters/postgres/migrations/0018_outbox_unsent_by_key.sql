-- In the place of this index is outbox_owed_by_key.
DROP INDEX IF EXISTS outbox_unsent_by_key;
