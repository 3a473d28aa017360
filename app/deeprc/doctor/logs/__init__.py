"""Which fabric provider was really used, read from the logs of the communication libraries."""

from deeprc.doctor.logs.judge import Finding, judge_provider
from deeprc.doctor.logs.read import LOGGING, Use, uses

__all__ = ["LOGGING", "Finding", "Use", "judge_provider", "uses"]
