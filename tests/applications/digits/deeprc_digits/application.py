"""What Deep RC asks of the application; Snakemake imports it at every start: nothing heavy."""

from importlib.util import find_spec
from pathlib import Path

from pydantic import Field

from deeprc.applications.base.application import Application, Report
from deeprc.applications.base.split import Split
from deeprc.core.settings import Settings


class DataOptions(Settings, extra="forbid", use_attribute_docstrings=True):
    """What prepare needs."""

    split: Split = (0.5, 0.2)
    """Fractions of the images that train and validate; what is left tests."""


class TrainOptions(Settings, extra="forbid", use_attribute_docstrings=True):
    """What train needs beside the prepared data."""

    hidden: int = Field(48, gt=0)
    """Units of the hidden layer."""
    learning_rate: float = Field(0.01, gt=0)
    """The largest of the one cycle that AdamW goes through."""


class Options(DataOptions, TrainOptions):
    """The key `digits` of the configuration."""

    path: str | None = None
    """A table without a header: 64 pixels (0 to 16) and the digit in each row; scikit-learn's own when left out."""
    ranks: int = Field(2, gt=0)
    """MPI ranks of prepare."""


class Digits(Application):
    """The class that the entry point's object is of."""

    name = "digits"
    configuration, preparation, training = Options, DataOptions, TrainOptions
    rules = Path(__file__).with_name("digits.smk")
    stages = ("prepare", "train", "infer")

    def own(self, options: Options) -> list[str]:
        # scikit-learn's are found without importing it, which takes a second.
        return [options.path or str(Path(find_spec("sklearn").origin).parent / "datasets" / "data" / "digits.csv.gz")]

    def report(self) -> Report:
        from deeprc_digits import report

        return report


APPLICATION = Digits()
