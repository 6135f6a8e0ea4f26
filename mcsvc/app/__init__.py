"""The use-cases, one a file: each takes its ports as arguments and knows nothing of transports."""
