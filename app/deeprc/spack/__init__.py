"""Spack environments: the tree in spack-env/, its checks, and what a site's file makes of it."""
