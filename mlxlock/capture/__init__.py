"""EFFECT: sandboxed child processes. One module a backend, one table, chosen by a probe, failing closed."""
