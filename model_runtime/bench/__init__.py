"""Measuring speed: what this machine gives, as ratios in one run."""
