"""Checks of deploy/; see deploy/check."""
