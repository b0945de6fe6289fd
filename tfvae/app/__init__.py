"""Implements the command `tfvae`."""
