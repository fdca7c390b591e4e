"""Scripts for the project's own interpreter: the only place that imports MLX.

Nobody imports them: they are run by their path, and import nothing of mlxlock. Kept to Python 3.9's syntax.
"""
