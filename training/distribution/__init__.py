"""Distribution strategies and clusters."""
