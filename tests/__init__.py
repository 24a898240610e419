"""A package by this file: a library that the tests use ships a top-level `tests` of its own."""
