-- The statements of the job store. `-- name:` begins one; the comment lines below it say what it is for.
-- {job} stands for the columns of a job, {readable} for the test of `job_readable`, {where} for the conditions of a list,
-- {pending_by}, {longest} and {start} for the parts of the same names that claims share.

-- name: job_columns
-- All a `Job` holds; the one list of columns every statement that yields jobs shares.
id, dedup_key, body_digest, request_id, subject_kind, subject_ref, settings, trigger_kind, trace_parent, state, attempt,
max_attempts, owner, create_time, run_after, start_time, finish_time, paths_done, paths_total, failure_code,
failure_message, input_digest, result_digest, queued_s, fetch_s, simulate_s

-- name: job_readable
-- True for a job in which this version knows everything; a newer version's is left to that one. As a CASE, the planner
-- takes half of the jobs to be readable, and so walks the indexes as without it; of the comparison it would expect a few.
CASE WHEN
    settings - %(known_settings)s::text[] = '{}'::jsonb
    AND settings ->> 'model' = ANY (%(known_models)s)
    AND subject_kind = ANY (%(known_subjects)s)
    AND trigger_kind = ANY (%(known_triggers)s)
    AND state = ANY (%(known_states)s)
THEN true ELSE false END

-- name: insert_job
-- Store a new job, due at once; no row comes back if its dedup key is taken.
INSERT INTO jobs (
    id, dedup_key, body_digest, request_id, subject_kind, subject_ref, settings, trigger_kind, trace_parent, state,
    attempt, max_attempts, create_time, run_after, paths_done, paths_total, input_digest, result_digest, queued_s,
    fetch_s, simulate_s
) VALUES (
    %(id)s, %(dedup_key)s, %(body_digest)s, %(request_id)s, %(subject_kind)s, %(subject_ref)s, %(settings)s,
    %(trigger_kind)s, %(trace_parent)s, 'pending', 0, %(max_attempts)s, now(), now(), 0, 0, %(input_digest)s, '', 0, 0, 0
)
ON CONFLICT (dedup_key) DO NOTHING
RETURNING {job}

-- name: job_by_dedup_key
-- The job that was made when this key was first used.
SELECT {job} FROM jobs WHERE dedup_key = %(dedup_key)s

-- name: job_by_id
-- One job.
SELECT {job} FROM jobs WHERE id = %(id)s

-- name: job_by_id_locked
-- One job, kept from changing until the transaction ends, and the store's time.
SELECT {job}, now() AS store_now FROM jobs WHERE id = %(id)s FOR UPDATE

-- name: job_by_term_locked
-- The running job of a term, kept from changing until the transaction ends, and the store's time. No row: term over.
SELECT {job}, now() AS store_now
FROM jobs
WHERE id = %(id)s AND owner = %(owner)s AND attempt = %(attempt)s AND state = 'running'
FOR UPDATE

-- name: update_moved_job
-- Write what a move changed, in the transaction that has held the job since it read what the move began from.
UPDATE jobs
SET state = %(state)s, owner = NULL, lease_until = NULL, attempt = %(attempt)s,
    max_attempts = %(max_attempts)s, run_after = %(run_after)s,
    finish_time = %(finish_time)s, paths_done = %(paths_done)s, paths_total = %(paths_total)s,
    failure_code = %(failure_code)s, failure_message = %(failure_message)s, result_digest = %(result_digest)s,
    queued_s = %(queued_s)s, fetch_s = %(fetch_s)s, simulate_s = %(simulate_s)s
WHERE id = %(id)s

-- name: pending_by
-- What made a pending job, null of any other: in the very words of the indexes jobs_due_of_…, by which these are found.
CASE WHEN state = 'pending' THEN trigger_kind END

-- name: claim_longest
-- Of the jobs a claim chooses from those longest due, past rows that others hold.
run_after <= now() AND {readable} ORDER BY run_after, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED

-- name: claim_start
-- Start the next attempt of the jobs that are due by a claim. They are held, and so pending still: to ask that again would
-- lead the planner through all that are pending, where its statistics are of a time when few were.
UPDATE jobs
SET state = 'running', owner = %(owner)s, attempt = attempt + 1, start_time = now(), lease_until = now() + %(lease)s,
    paths_done = 0, paths_total = 0, queued_s = greatest(extract(epoch FROM now() - create_time), 0)
WHERE id IN (SELECT id FROM due)
RETURNING {job}

-- name: claim_longest_due
-- Claim jobs by age alone.
WITH due AS MATERIALIZED (SELECT id FROM jobs WHERE state = 'pending' AND {longest})
{start}

-- name: claim_next
-- Claim jobs by trigger, then by age. The outer limits keep it from holding more rows than it claims.
WITH asked AS MATERIALIZED (
    SELECT id FROM jobs WHERE {pending_by} = 'api' AND {longest}
),
passed AS MATERIALIZED (
    SELECT id FROM (SELECT id FROM jobs WHERE {pending_by} = 'assessment_completed' AND {longest}) AS longest
    LIMIT %(limit)s - (SELECT count(*) FROM asked)
),
swept AS MATERIALIZED (
    SELECT id FROM (SELECT id FROM jobs WHERE {pending_by} = 'schedule' AND {longest}) AS longest
    LIMIT %(limit)s - (SELECT count(*) FROM asked) - (SELECT count(*) FROM passed)
),
due AS (SELECT id FROM asked UNION ALL SELECT id FROM passed UNION ALL SELECT id FROM swept)
{start}

-- name: renew_leases
-- Extend the leases of these terms; those that come back are still held.
UPDATE jobs
SET lease_until = now() + %(lease)s
FROM unnest(%(ids)s::uuid[], %(owners)s::uuid[], %(attempts)s::int[]) AS held (id, owner, attempt)
WHERE jobs.id = held.id AND jobs.owner = held.owner AND jobs.attempt = held.attempt AND jobs.state = 'running'
RETURNING jobs.id, jobs.owner, jobs.attempt

-- name: set_input_digest
-- Note which input a running job has; fenced.
UPDATE jobs
SET input_digest = %(digest)s
WHERE id = %(id)s AND owner = %(owner)s AND attempt = %(attempt)s AND state = 'running'

-- name: set_progress
-- Note how far a running job is; fenced.
UPDATE jobs
SET paths_done = %(paths_done)s, paths_total = %(paths_total)s
WHERE id = %(id)s AND owner = %(owner)s AND attempt = %(attempt)s AND state = 'running'

-- name: put_input
-- Keep the input of a job, in a transaction that holds the job.
INSERT INTO inputs (job_id, data, digest) VALUES (%(id)s, %(data)s, %(digest)s)
ON CONFLICT (job_id) DO UPDATE SET data = excluded.data, digest = excluded.digest

-- name: put_result
-- Keep the result of a job, in the transaction that ends it. A second result would be a conflict.
INSERT INTO results (job_id, data, digest) VALUES (%(id)s, %(data)s, %(digest)s)

-- name: put_checkpoint
-- Keep the latest checkpoint of a job, in a transaction that holds the job.
INSERT INTO checkpoints (job_id, data) VALUES (%(id)s, %(data)s)
ON CONFLICT (job_id) DO UPDATE SET data = excluded.data

-- name: drop_checkpoint
-- A final job needs no checkpoint.
DELETE FROM checkpoints WHERE job_id = %(id)s

-- name: input_of
-- The stored input of a job; nulls if the job has none yet, no row if there is no such job.
SELECT inputs.data, inputs.digest FROM jobs LEFT JOIN inputs ON inputs.job_id = jobs.id WHERE jobs.id = %(id)s

-- name: result_of
-- The stored result of a job; nulls if the job has none, no row if there is no such job.
SELECT results.data, results.digest FROM jobs LEFT JOIN results ON results.job_id = jobs.id WHERE jobs.id = %(id)s

-- name: checkpoint_of
-- The latest checkpoint of a job; null if the job has none, no row if there is no such job.
SELECT checkpoints.data FROM jobs LEFT JOIN checkpoints ON checkpoints.job_id = jobs.id WHERE jobs.id = %(id)s

-- name: find_jobs
-- One page of a list, newest first.
SELECT {job} FROM jobs WHERE {where} AND {readable} ORDER BY create_time DESC, id DESC LIMIT %(limit)s

-- name: expired_jobs
-- Running jobs whose lease is over, longest over first.
SELECT {job}
FROM jobs
WHERE state = 'running' AND lease_until <= now() AND {readable}
ORDER BY lease_until, id
LIMIT %(limit)s

-- name: unreadable_jobs
-- How many unfinished jobs this version leaves to a newer one, and one of them.
SELECT count(*) AS jobs, min(id::text) AS example FROM jobs WHERE state IN ('pending', 'running') AND NOT {readable}

-- name: simulated_since
-- Which of these subjects have a recent job that was not lost. `earliest` is the lesser of the two times, for the index.
SELECT DISTINCT subject_kind, subject_ref
FROM jobs
WHERE subject_kind = %(kind)s
    AND subject_ref = ANY (%(refs)s)
    AND create_time >= %(earliest)s
    AND create_time >= CASE WHEN trigger_kind = 'schedule' THEN %(swept_since)s ELSE %(since)s END
    AND state NOT IN ('failed', 'cancelled')

-- name: put_event
-- Owe an event, in the transaction that makes it true.
INSERT INTO outbox (id, topic, event_key, payload, headers, create_time, held_until)
VALUES (%(id)s, %(topic)s, %(key)s, %(payload)s, %(headers)s, now(), now())

-- name: unsent_events
-- Events not yet sent, for looking.
SELECT id, topic, event_key, payload, headers FROM outbox WHERE sent_time IS NULL ORDER BY create_time, id LIMIT %(limit)s

-- name: backlog
-- Pending jobs and unsent events, counted up to a limit, and for how long the job longest due of each trigger has been so:
-- null if there is none, below 0 if it is put off.
SELECT
    (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'pending' LIMIT %(most)s) AS waiting) AS pending,
    (SELECT now() - min(run_after) FROM jobs WHERE {pending_by} = 'api') AS api_for,
    (SELECT now() - min(run_after) FROM jobs WHERE {pending_by} = 'assessment_completed') AS assessment_completed_for,
    (SELECT now() - min(run_after) FROM jobs WHERE {pending_by} = 'schedule') AS schedule_for,
    (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE sent_time IS NULL LIMIT %(most)s) AS owed) AS unsent

-- name: claim_unsent_events
-- Hold unsent events for one relay, of all topics but some: of each key only the oldest, and none that another relay holds.
-- The CASE is that of the index outbox_owed_by_key. As of claims, rows that are held need not be asked again.
WITH free AS MATERIALIZED (
    SELECT id
    FROM outbox
    WHERE sent_time IS NULL
        AND held_until <= now()
        AND topic <> ALL (%(except_topics)s)
        AND NOT EXISTS (
            SELECT 1
            FROM outbox AS earlier
            WHERE CASE WHEN earlier.sent_time IS NULL THEN earlier.event_key END = outbox.event_key
                AND (earlier.create_time, earlier.id) < (outbox.create_time, outbox.id)
        )
    ORDER BY create_time, id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox
SET held_until = now() + %(hold)s
WHERE id IN (SELECT id FROM free)
RETURNING id, topic, event_key, payload, headers, create_time

-- name: mark_events_sent
-- These events are with the broker.
UPDATE outbox SET sent_time = now() WHERE id = ANY (%(ids)s) AND sent_time IS NULL

-- name: forget_jobs
-- Delete jobs that ended long ago, oldest first; what refers to them goes with them.
DELETE FROM jobs
WHERE id IN (
    SELECT id
    FROM jobs
    WHERE create_time <= now() - %(older_than)s
        AND finish_time <= now() - %(older_than)s
        AND NOT EXISTS (
            SELECT 1 FROM outbox WHERE CASE WHEN sent_time IS NULL THEN event_key END = jobs.id::text
        )
    ORDER BY create_time, id
    LIMIT %(limit)s
)

-- name: forget_sent_events
-- Delete events that were sent long ago.
DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE sent_time <= now() - %(older_than)s LIMIT %(limit)s)

-- name: store_now
-- The store's own time.
SELECT now() AS store_now

-- name: schema_version
-- The number of the last migration that was applied, and whether the server refuses to write.
SELECT coalesce(max(version), 0) AS version, current_setting('transaction_read_only') = 'on' AS read_only
FROM schema_migrations
