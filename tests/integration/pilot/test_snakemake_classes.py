"""Snakemake's own tests for executor plugins."""

from __future__ import annotations

import snakemake.common.tests

from snakemake_executor_plugin_radical_pilot import ExecutorSettings


class TestSimpleAndGroupWorkflow(snakemake.common.tests.TestWorkflowsLocalStorageBase):
    __test__ = True

    def get_executor(self) -> str:
        return "radical-pilot"

    def get_executor_settings(self) -> ExecutorSettings:
        return ExecutorSettings()
