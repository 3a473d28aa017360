"""PDS-H: the 22 decision-support queries of the TPC-H specification, in Polars' syntax, over MPI and beside others."""
