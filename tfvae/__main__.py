"""Runs the command `tfvae`, also as `python -m tfvae`."""

import sys

_NEEDED = ("typer", "rich")  # by the command alone; the package does without


def main() -> None:
    """Runs the command, or says what to install for it."""
    try:
        from tfvae.app import cli
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.stderr.write(
            f"tfvae: Expected {error.name}, which the command needs. Received: it is not "
            "installed. Fix: pip install 'tfvae[app]'.\n"
        )
        sys.exit(2)

    cli.main()


if __name__ == "__main__":
    main()
