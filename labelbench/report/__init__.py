"""A results folder as one page that opens offline in any browser."""
