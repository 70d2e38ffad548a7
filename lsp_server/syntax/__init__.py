"""Syntax trees: what a selection means, and whether an edit still parses."""
