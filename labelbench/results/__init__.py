"""Finished work on disk, and what brings it together: grouping, spread over seeds, tables, merging."""
