"""Batch systems: one file and one class for each, found by its name.

They stand below the sites: a site file's rules depend on the batch system that it names (what may be said of it, how
its nodes are asked for), while a batch system needs a few numbers of a site only.
"""
