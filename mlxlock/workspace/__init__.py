"""EFFECT: the built workspace. Scans it, changes it as planned, and gives its environment to children."""
