"""The ways into the service: gRPC, HTTP, Kafka, the schedule, and the worker that runs jobs."""
