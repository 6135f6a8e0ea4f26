"""A whole system on one machine, from pip-installed parts: real servers, each a process of its own."""
