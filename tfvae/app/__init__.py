"""The command `tfvae`."""
