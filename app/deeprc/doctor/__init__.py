"""Whether this machine is what its site file says, and whether ranks can really talk: `deeprc doctor`."""
