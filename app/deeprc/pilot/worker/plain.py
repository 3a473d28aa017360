"""Commands that need no shell: one program with its words, and where its output goes."""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "set -euo pipefail;"
# What no shell expands: everything else is left to one.
WORD = re.compile(r"""(?:[\w@%+:,./=-]|'[^']*'|"[^"$`\\!]*")+""", re.ASCII)
TARGET = re.compile(r"(&>|[12]?>>?)\s*")
PIECE = re.compile(r"""'([^']*)'|"([^"]*)"|([^'"]+)""")


@dataclass(frozen=True)
class PlainCommand:
    """Its words, and the files for its output and errors, with whether they are added to; None is the job's own."""

    words: list[str]
    output: tuple[str, bool] | None = None
    errors: tuple[str, bool] | None = None
    joined: bool = False


def plain(argv: list[str]) -> PlainCommand | None:
    """The program that `bash -c COMMAND` runs, if that is all it does."""
    if len(argv) != 3 or not argv[0].endswith("bash") or argv[1] != "-c":
        return None
    text = argv[2].strip().removeprefix(PREFIX).strip()
    words: list[str] = []
    files: dict[str, tuple[str, bool] | None] = {"output": None, "errors": None}
    joined = False
    while text:
        if text.startswith("2>&1") and not text[4:5].strip():
            if files["errors"]:
                return None
            joined, text = True, text[4:].lstrip(" \t")
            continue
        sign = TARGET.match(text)
        text = text[sign.end() :] if sign else text
        word = WORD.match(text)
        if word is None or (text[word.end() : word.end() + 1] or " ") not in " \t":
            return None
        value = "".join("".join(piece) for piece in PIECE.findall(word[0]))
        if sign:
            if joined or sign[1] == "&>":  # the order of redirections counts
                if sign[1] != "&>" or any(files.values()) or joined:
                    return None
                joined = True
            name = "errors" if sign[1][0] == "2" else "output"
            if files[name]:
                return None
            files[name] = value, sign[1].endswith(">>")
        elif not words and ("=" in word[0] or word[0] in RESERVED):
            return None
        else:
            words.append(value)
        text = text[word.end() :].lstrip(" \t")
    return PlainCommand(words, files["output"], files["errors"], joined) if words else None


RESERVED = {"if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "select",
            "function", "time", "coproc", "in"}  # fmt: skip
