"""`python -m tfvae`, and the command `tfvae`."""

from tfvae.cli import main

if __name__ == "__main__":
    main()
