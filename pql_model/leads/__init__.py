"""Today's list of leads as one internal HTML page."""
