"""What every test shares."""

import hypothesis

# A simulated device is slow on its first call, and two workers share the cores: the time of a single example
# says nothing. Each test has its own bound from pytest-timeout.
hypothesis.settings.register_profile("systolith", deadline=None)
hypothesis.settings.load_profile("systolith")
