"""What the Snakefile asks for beside its rules: what has to be made anew, data that are right, one run at a time.

Snakemake compares times, parameters and inputs of jobs as far as its own memory (`.snakemake`) goes. Here the products
themselves are asked what they were made from (`deeprc.core.fingerprint`), so that results that were moved, copied in
part, or come from a machine with another memory are made anew where, and only where, they do not fit.
"""
