"""What the use-cases need of the outside world, as protocols. Adapters fulfil them, and fakes pass the same tests."""
