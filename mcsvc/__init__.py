"""The Monte Carlo service: takes jobs by gRPC, HTTP, Kafka and schedule, runs them on the simulator, tells of them."""
