"""Fill-in-the-middle over HTTP: the dialects of existing clients, in front of the runtime."""
