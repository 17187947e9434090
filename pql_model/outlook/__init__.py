"""What will come: conversions and value of the coming weeks."""
