from spack_repo.builtin.packages.py_pyarrow.package import PyPyarrow as BuiltinPyPyarrow

from spack.package import *


class PyPyarrow(BuiltinPyPyarrow):
    """pyarrow at the version that Deep RC needs (21 or newer): Spack's own recipe ends at 19, while its Arrow does not."""

    version("23.0.1", sha256="b8c5873e33440b2bc2f4a79d2b47017a89c5a24116c055625e6f2ee50523f019")

    with default_args(type="build"):
        depends_on("cmake@3.25:", when="@21:")
        depends_on("py-cython@3.1:", when="@21:")
        depends_on("py-setuptools@77:", when="@21:")

    depends_on("arrow@23.0.1 +python", when="@23.0.1")
    depends_on("py-numpy@1.25:", when="@21:", type=("build", "run"))
