"""Plain, slow, obviously correct models of what the engine computes, for tests to compare with."""
