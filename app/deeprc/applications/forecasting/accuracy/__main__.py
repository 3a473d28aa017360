"""The table of the documents from what `--out` wrote: `python -m deeprc.applications.forecasting.accuracy FILE`."""

import json
import sys
from pathlib import Path

from deeprc.applications.forecasting.accuracy.run import table

if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
