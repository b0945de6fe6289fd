"""What tracing needs: marks for XLA."""
