"""The job store on PostgreSQL or CockroachDB."""
