"""Tables as people write them: `read_table(path, TableOptions(…))` finds what is certain and refuses the rest.

Separators, encodings, decimal signs, dates, words for missing values and Parquet. Every error names the file, the line
and the column, with a cure that keeps the data.
"""

from deeprc.applications.base.tabular.table import Table, TableOptions, read_table

__all__ = ["Table", "TableOptions", "read_table"]
