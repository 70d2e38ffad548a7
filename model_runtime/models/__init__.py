"""Model families. One file each; the file name is the registry key."""
