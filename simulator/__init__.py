"""What may become of a trading account: futures resampled under its rules. Knows no jobs, databases or Kafka."""
