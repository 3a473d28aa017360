"""What this machine has, as far as this process may use it."""

from deeprc.sites.detect.processor import architecture, cores, memory_mb

__all__ = ["architecture", "cores", "memory_mb"]  # the rest asks programs, and is imported where it is wanted
