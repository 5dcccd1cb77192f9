"""Measurements of what the design promises, one a module; the figures are what ``systolith bench`` prints."""
