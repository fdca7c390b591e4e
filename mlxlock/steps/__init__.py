"""What verbs are made of: each a step that several of them take. Values and ports in, values out."""
