"""NERSC's Shifter."""

from __future__ import annotations

from deeprc.launch.runtimes.base import Container, Inside, register


@register("shifter")
class Shifter(Container):
    """`shifter`, whose modules bring libraries of the host (udiRoot.conf of NERSC/shifter)."""

    def address(self, folder: str, name: str) -> str:
        """An image that its gateway has pulled."""
        return f"deeprc/{name}:latest"

    def wrap(self, inside: Inside) -> list[str]:
        """`shifter --image=… --module=… <volumes> <variables>`."""
        modules = ["gpu"] if inside.vendor else []
        modules += ["mpich"] if inside.model == "bind" else []
        modules += ["nccl-plugin"] if inside.ccl else []
        line = ["shifter", f"--image={inside.image}", f"--module={','.join(modules) or 'none'}", *inside.flags]
        line += [f"--volume={bind if ':' in bind else f'{bind}:{bind}'}" for bind in inside.binds]
        return [*line, *(f"--env={name}={value}" for name, value in inside.variables.items())]
