"""The systolith runtime."""
