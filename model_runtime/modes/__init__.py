"""What can be done with the spans of a request: infill, rewrite, repair, holes. One mode a file."""
