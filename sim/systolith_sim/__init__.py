"""From the design to a running simulation."""
