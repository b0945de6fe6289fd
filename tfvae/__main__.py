"""Runs the command `tfvae`, also as `python -m tfvae`."""

from tfvae.app.cli import main

if __name__ == "__main__":
    main()
