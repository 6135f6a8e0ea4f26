-- For the claim by trigger, and for the backlog: pending jobs that an event made, longest due first. As a CASE, which the
-- statements repeat, the planner can use no other index for it, whatever its statistics say.
CREATE INDEX IF NOT EXISTS jobs_due_of_assessment_completed ON jobs (run_after, id)
WHERE CASE WHEN state = 'pending' THEN trigger_kind END = 'assessment_completed';
