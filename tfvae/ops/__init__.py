"""Tensor operations that pieces, objectives and training steps share."""
