"""mlxlock: the lockfile for the models a project runs.

Reading order is folder order: spec, planning, ports, the effects (hub, capture, store, workspace),
commands, cli.
"""

__version__ = "0.1.0"
