"""The runtime as a process: who connects, in which order, on which thread."""
