"""The command line: parse arguments, wire ports, call one command, render, exit."""
