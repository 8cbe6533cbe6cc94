"""The leaderboard: its tables, what stands beside them, and every format it is exported to."""
