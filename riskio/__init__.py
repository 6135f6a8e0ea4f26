"""What people read and write: trades as CSV, rules as YAML, a result as a report. Shared by both programs.

Depends on the contracts, PyYAML and rich; on neither program.
"""
