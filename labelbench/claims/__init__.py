"""What was claimed, and how it is judged on what was measured."""
