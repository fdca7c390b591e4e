"""What follows from the files: what to lock, lay out, change, report. Pure, no I/O."""
