"""What this machine has, and how a process is set up to use it."""
