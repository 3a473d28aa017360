"""What a machine is: the site file, read and checked."""

from deeprc.sites.load import known_sites, load_site, sites_folder
from deeprc.sites.model import Partition, Site

__all__ = ["Partition", "Site", "known_sites", "load_site", "sites_folder"]
