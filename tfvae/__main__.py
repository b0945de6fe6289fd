"""`python -m tfvae`, and the command `tfvae`."""

from tfvae.app.cli import main

if __name__ == "__main__":
    main()
