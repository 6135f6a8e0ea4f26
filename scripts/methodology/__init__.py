"""What docs/methodology.md quotes and shows: numbers found by the engine itself, and plots of them."""
