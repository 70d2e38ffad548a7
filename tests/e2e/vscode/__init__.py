"""A package, so that its one window closes behind its last test."""
