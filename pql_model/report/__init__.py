"""The growth report: one self-contained HTML page, rendered from one object of numbers."""
