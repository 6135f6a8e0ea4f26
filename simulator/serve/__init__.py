"""The engine on Ray Serve: a gRPC ingress that spreads a simulation's blocks over workers. Only here is ray known."""
