"""Logs, traces and metrics: what the service tells about itself. The inner layers know nothing of it."""
