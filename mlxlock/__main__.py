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
    try:
        from mlxlock.cli.main import run  # noqa: PLC0415 - click is not needed above

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while Python still imports; later ones are answered with an envelope
        code = 130
    raise SystemExit(code)


if __name__ == "__main__":
    main()
