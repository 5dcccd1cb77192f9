"""The tables of the documents that are made from something else."""
