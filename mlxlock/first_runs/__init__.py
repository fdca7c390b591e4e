"""A model runs once, recorded, and again on what the lock alone says. Sees ports, starts nothing itself."""
