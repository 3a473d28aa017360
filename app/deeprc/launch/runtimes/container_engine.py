"""CSCS's Container Engine, which Slurm starts itself.

Its file is four keys and two tables, written here: tomli-w would quote the dotted names of annotations.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import ClassVar

from deeprc.launch.runtimes.base import Container, Inside, register


@register("container-engine")
class ContainerEngine(Container):
    """`srun --environment=<file>`: the file (EDF, TOML) names the image, the binds, the variables and the hooks.

    CSCS docs, container-engine/edf.md and resource-hook.md. Accelerators are there without a flag, and so are the job's
    variables. A site's flags are annotations, `com.hooks.cxi.enabled=true`. Images are squashfs files.
    """

    suffix: ClassVar[str] = ".sqsh"

    def wrap(self, inside: Inside) -> list[str]:
        """Nothing: Slurm starts the ranks within the container."""
        return []

    def launcher_options(self, inside: Inside) -> list[str]:
        """The environment's file."""
        return [f"--environment={path}" for path in self.files(inside)]

    def files(self, inside: Inside) -> dict[str, str]:
        """The environment's file, named after its content, since tasks of one image may need several."""
        lines = [f"image = {_text(inside.image)}", f"workdir = {_text('$PWD')}"]
        lines.append(
            f"mounts = [{', '.join(_text(bind if ':' in bind else f'{bind}:{bind}') for bind in inside.binds)}]"
        )
        if inside.variables:
            lines += ["", "[env]", *(f"{name} = {_text(value)}" for name, value in inside.variables.items())]
        if inside.flags:
            hooks = [flag.partition("=") for flag in inside.flags]
            lines += ["", "[annotations]", *(f"{name} = {_text(value)}" for name, _, value in hooks)]
        text = "\n".join(lines) + "\n"
        stem = re.sub(r"\.sqsh$", "", inside.image)
        return {f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.toml": text}


def _text(value: str) -> str:
    """A string of TOML, as JSON has it; the job's variable `$NAME` is what the Container Engine writes `${NAME}`."""
    return json.dumps(re.sub(r"\$([A-Za-z_]\w*)", r"${\1}", value), ensure_ascii=False)
