"""The model itself: one module for each unit of the accelerator, compiled by numba.

What a unit does is computed, with its time, as soon as it is known: its effects on others carry their
times. Only where the order of events decides, at the two arbiters and at the completion, are they taken
in the order of time. Nothing that is not known yet can come before the earliest of these.

A unit's state is a record of integers (and arrays, where its size depends on the configuration) on which
the functions of its module work. Importing this package imports numba.
"""
