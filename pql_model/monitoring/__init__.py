"""Whether the model in force still describes the product: data health, realised results, drift, and what to do about it."""
