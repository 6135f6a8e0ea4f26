"""The same API over HTTP and ProtoJSON, with health, readiness and metrics."""
