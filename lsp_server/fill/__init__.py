"""From a snapshot to an edit: what to show the model, what it gave, which is best, what changes."""
