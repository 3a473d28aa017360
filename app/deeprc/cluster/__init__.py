"""A Slurm of some made-up nodes on this machine, to try what a cluster does: real daemons, on loopback only."""

from deeprc.cluster.daemons import Cluster
from deeprc.cluster.layout import ClusterShape, free_ports
from deeprc.cluster.standing import down, place, standing, up

__all__ = ["Cluster", "ClusterShape", "down", "free_ports", "place", "standing", "up"]
