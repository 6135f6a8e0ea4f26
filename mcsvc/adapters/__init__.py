"""The ports, fulfilled by real systems and, for unit tests, in memory."""
