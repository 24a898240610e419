"""A package of its own, because a test dependency installs another one of this name."""
