"""The entry point of `mlxk` and `mlxlock`, which are one program."""

import os
import sys


def main() -> None:
    """Run the command line; `--version` alone is answered before anything else is imported.

    Raises:
        SystemExit: Always, with the exit code.
    """
    _open_what_is_closed()
    if sys.argv[1:] in (["--version"], ["-V"]) and _told_version():
        raise SystemExit(0)
    try:
        from mlxlock.cli.main import run  # noqa: PLC0415 - click is not needed above

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while Python still imports; later ones are answered with an envelope
        code = 130
    raise SystemExit(code)


def _told_version() -> bool:
    """Whether it could be written; if not, the command line says why."""
    from mlxlock import __version__  # noqa: PLC0415 - nothing else is needed for this answer

    try:
        os.write(1, f"mlxlock {__version__}\n".encode())
    except OSError:
        return False
    return True


def _open_what_is_closed() -> None:
    """Give each standard stream that the caller closed a place: no file of ours may get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


if __name__ == "__main__":
    main()
