"""The gRPC API: decode, call, encode; everything else (spans, metrics, logs, limits, errors) stands around it."""
