"""The funnel: who reached which stage after signing up, and how long it took."""
