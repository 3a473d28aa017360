import os

from spack_repo.builtin.build_systems.generic import Package

from spack.package import *


class IntelMpi(Package):
    """Intel MPI of before oneAPI (2019), as an external only: its wrappers lie in intel64/bin, or in bin where a
    facility's module leads to intel64 itself. Spack's own recipe (intel-oneapi-mpi) looks in mpi/<version>/bin."""

    homepage = "https://www.intel.com/content/www/us/en/developer/tools/oneapi/mpi-library.html"
    has_code = False

    version("2019.4")

    provides("mpi@:3.1")
    requires("platform=linux")

    def install(self, spec, prefix):
        raise InstallError("Intel MPI 2019 is the facility's own: name it as an external")

    @property
    def root(self):
        inner = self.prefix.intel64
        return inner if os.path.isdir(inner) else self.prefix

    @property
    def headers(self):
        return find_headers("mpi", self.root.include)

    @property
    def libs(self):
        return find_libraries("libmpi", root=self.root.lib, recursive=True)

    def setup_dependent_package(self, module, dependent_spec):
        self.spec.mpicc = self.root.bin.mpicc
        self.spec.mpicxx = self.root.bin.mpicxx
        self.spec.mpif77 = self.root.bin.mpif77
        self.spec.mpifc = self.root.bin.mpif90

    def setup_dependent_build_environment(self, env, dependent_spec):
        # What the wrappers call: the compiler that everything else is built with.
        module = dependent_spec.package.module
        for name, attribute in (("CC", "spack_cc"), ("CXX", "spack_cxx"), ("FC", "spack_fc"), ("F90", "spack_fc")):
            if hasattr(module, attribute):
                env.set(f"I_MPI_{name}", getattr(module, attribute))
        env.set("MPICC", self.root.bin.mpicc)
        env.set("MPICXX", self.root.bin.mpicxx)
        env.set("I_MPI_ROOT", os.path.dirname(self.root) if self.root != self.prefix else self.prefix)
