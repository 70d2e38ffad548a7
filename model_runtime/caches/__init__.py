"""Key/value caches. One file each; the file name is the registry key."""
