"""Hides the development tools' pandas from Ray, which imports it where it can: no image has it, and it is slow."""

raise ImportError("pandas is not part of the simulator")
