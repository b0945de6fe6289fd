"""Who refuses what the package cannot work with."""
