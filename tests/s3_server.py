"""An S3 server on loopback: `python s3_server.py FOLDER DESCRIPTOR`, by the key in NANIO_ACCESS_KEY.

It is nanio, which checks signatures and lacks one thing that S3 has: the last bytes of a file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from nanio.app import build_app
from nanio.auth.credentials import EnvCredentialResolver
from nanio.config import Settings
from nanio.handlers import object as handler
from nanio.storage.filesystem import FilesystemStorage


class Storage(FilesystemStorage):
    """Where a negative beginning is counted from the end."""

    async def get_object(self, bucket, key, *, range_start=None, range_end=None):
        if range_start is not None and range_start < 0:
            range_start = max(self.head_object(bucket, key).size + range_start, 0)
        return await super().get_object(bucket, key, range_start=range_start, range_end=range_end)


def main() -> None:
    first = handler._parse_range_header

    def parsed(value: str | None) -> tuple[int | None, int | None]:
        return (int(value[6:]), None) if value and value.startswith("bytes=-") else first(value)

    handler._parse_range_header = parsed
    sys.modules["nanio.app"].FilesystemStorage = Storage
    settings = Settings(data_dir=Path(sys.argv[1]), region="us-east-1", credentials=EnvCredentialResolver())
    uvicorn.run(build_app(settings), fd=int(sys.argv[2]), log_level="warning")


if __name__ == "__main__":
    main()
