"""The loops that turn a masked canvas into a settled one. Tensors only."""
