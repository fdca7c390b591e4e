"""EFFECT: the user's blobs on disk. Content-addressed, verified once, shared by all projects."""
