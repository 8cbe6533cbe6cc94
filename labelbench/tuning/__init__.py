"""Equal tuning: the same grid and budget for every label, judged on validation images."""
