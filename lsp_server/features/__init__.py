"""One LSP feature a file: unpack, call a pure function on a snapshot, reply."""
