"""Dashboards of others that are told of trainings while they run, and of scores and the report when all is done."""
