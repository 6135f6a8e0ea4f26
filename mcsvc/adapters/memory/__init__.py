"""Fakes that keep their promises: for unit tests, in one process, gone when it ends."""
