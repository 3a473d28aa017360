"""Who else on this machine or its network could get in: `deeprc doctor --security`."""

from deeprc.doctor.security.checks import CHECKS, look

__all__ = ["CHECKS", "look"]
