"""A suite on many machines that see one results folder: Ray hands jobs out, and leases keep two from one job."""
