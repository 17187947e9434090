"""The scoring service: a bundle of text and JSON, and the endpoints over it."""
