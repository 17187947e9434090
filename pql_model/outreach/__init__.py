"""What sales did with the leads, what it found, and what difference contacting them made."""
