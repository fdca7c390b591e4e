"""What the files say: frozen values, parsing and formatting. Pure, no I/O."""
