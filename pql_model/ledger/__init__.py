"""The outcome ledger: what was said of each entity, what was done, and what came of it."""
