"""Promises, the tests that hold them, and the one-line breaks that turn those tests red.

Each `*.toml` beside this file is a table of one source of promises. `python -m tests.breaks` applies every
break to the working tree, one at a time, runs the test that should notice, and puts the file back.
"""
