"""What other Pythons run during a build: Spack's own and that of the environment. Each is one file that imports nothing
of Deep RC."""
