"""The tests, as a package of their own: pyodata installs one of the same name, and that would be found first."""
