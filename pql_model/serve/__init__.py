"""The model in service: a bundle of text and JSON, and what answers from it."""
