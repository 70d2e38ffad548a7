"""Next edits: what the user just changed, and which other places that may concern."""
