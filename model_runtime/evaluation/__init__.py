"""What the model is worth: benchmarks, metrics, reports."""
