"""EFFECT: the network. The Hub's client, the verified fetcher, and the loopback Hub that records."""
