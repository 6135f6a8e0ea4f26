"""The public API apart from its transports: requests decoded and checked, jobs encoded, errors classified."""
