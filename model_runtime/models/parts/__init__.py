"""What families share beyond single layers: reading checkpoints, and whole stacks."""
