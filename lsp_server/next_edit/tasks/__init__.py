"""Tasks for `remask eval next-edit`, cut out of source files; `python -m` this package."""
