"""What a machine is: the site file, read and checked."""

from deeprc.sites.hardware import Accelerator, Partition
from deeprc.sites.load import known_sites, load_site, site_file, site_schema, sites_folder
from deeprc.sites.model import Site

__all__ = ["Accelerator", "Partition", "Site", "known_sites", "load_site", "site_file", "site_schema", "sites_folder"]
