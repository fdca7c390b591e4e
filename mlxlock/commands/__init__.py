"""One verb a file: values and ports in, a report out. No click, no print, no HTTP."""
