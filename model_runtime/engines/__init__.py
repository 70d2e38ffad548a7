"""Engines: text in, text out. One file each; the file name is the registry key."""
