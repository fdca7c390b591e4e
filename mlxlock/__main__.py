"""The entry point of `mlxk` and `mlxlock`, which are one program."""

import sys


def main() -> None:
    """Run the command line; `--version` alone is answered before anything else is imported.

    Raises:
        SystemExit: Always, with the exit code.
    """
    if sys.argv[1:] in (["--version"], ["-V"]):
        from mlxlock import __version__  # noqa: PLC0415 - nothing else is needed for this answer

        sys.stdout.write(f"mlxlock {__version__}\n")
        raise SystemExit(0)
    from mlxlock.cli.main import run  # noqa: PLC0415 - click is not needed above

    raise SystemExit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
