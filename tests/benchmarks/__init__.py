"""Measurements with recorded results; nothing here is collected by pytest."""
