"""Tensors: denoisers, samplers, caches, and the process that serves them. Knows no editor."""
