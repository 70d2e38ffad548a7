"""The model runtime as the language server sees it: a process to find and a socket to ask."""
