"""What a job is and what may become of it: pure values and functions, no input or output."""
