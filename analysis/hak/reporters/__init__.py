"""Reports, drawn or printed."""
