"""The download of many artifacts: one that fails is passed over, what concerns all of them ends it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from anyio.to_thread import run_sync

from circleci_sdk._core.checks import Accepted, one_of
from circleci_sdk._core.errors import CircleCIError, RequestTimeoutError
from circleci_sdk.helpers._downloads.download import download_of
from circleci_sdk.helpers._downloads.executor import SerialExecutor, in_thread
from circleci_sdk.helpers._downloads.inflate import encodings_of_file
from circleci_sdk.helpers._downloads.names import limits_of
from circleci_sdk.helpers._downloads.saving import save
from circleci_sdk.helpers._downloads.staging import Stage, remove_stale
from circleci_sdk.helpers._shared.callbacks import call_back
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.skipped import SkipLog, Skipped

from .manifest import Manifest
from .places import Places, check_place
from .report import DownloadedArtifact, DownloadReport
from .selection import Listed, Planned, plan

if TYPE_CHECKING:
    from circleci_sdk.helpers._shared.deadline import TimedCaller

Overwrite: TypeAlias = bool | Literal["skip"]
"""What to do with files that exist: False raises before any download, True replaces them, `"skip"` keeps those that
are known to be the same artifact."""
OnFile: TypeAlias = Callable[[DownloadedArtifact], None]
"""Called after each file."""
OVERWRITE: Final = Accepted(
    "True, False or 'skip'", lambda value: isinstance(value, bool) or one_of("skip").admits(value), quotes=True
)

_FULL: Final = (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC, errno.EROFS)
_LONG: Final = {"github": "gh", "bitbucket": "bb"}


@dataclass(frozen=True, slots=True)
class Options:
    """How to download."""

    method: str
    concurrency: int
    overwrite: Overwrite
    on_file: OnFile | None


async def download_all(caller: TimedCaller, dest: Path, listed: Sequence[Listed], options: Options) -> DownloadReport:
    """Download the artifacts into the folder. Raises only what concerns all of them."""
    planned = plan(options.method, dest, listed, await run_sync(limits_of, dest))
    manifest = Manifest(dest)
    blocked = await run_sync(_check_before, options, dest, planned, manifest)
    stage, log = Stage(dest), SkipLog(caller)
    places = Places(stage, manifest, replaces=options.overwrite is True)
    executor = SerialExecutor(places.release)

    async def fetch(item: Planned | Skipped) -> DownloadedArtifact | Skipped:
        if isinstance(item, Skipped):
            return item
        try:
            if item.path in blocked:
                raise blocked[item.path]
            file = await executor.run(partial(_kept, item, dest, manifest)) if options.overwrite == "skip" else None
            if file is None:
                opened = download_of(
                    caller,
                    item.url,
                    label=options.method,
                    timeout=caller.left,
                    keep=encodings_of_file(item.path.name),
                )
                size = await save(opened, stage, executor, partial(places.put, item))
                file = DownloadedArtifact(item.artifact, item.path, size)
        except (CircleCIError, OSError, UnicodeError) as error:
            if _concerns_all(error):
                raise
            log.add(options.method, item.artifact.path, error)
            return log.skipped[-1]
        log.succeeded()
        if options.on_file is not None:
            await call_back(options.on_file, file)
        return file

    try:
        results = await map_concurrently(fetch, planned, limit=options.concurrency)
    finally:
        await in_thread(stage.close)
    return DownloadReport(
        tuple(one for one in results if isinstance(one, DownloadedArtifact)),
        tuple(one for one in results if isinstance(one, Skipped)),
    )


def identity(origin: str, project_slug: str, job_number: int) -> str:
    """What the artifacts of a job have in common, in the record of a folder."""
    first, slash, rest = project_slug.partition("/")
    return f"{origin} {_LONG.get(first, first)}{slash}{rest} {job_number}"


def _check_before(
    options: Options, dest: Path, planned: Sequence[Planned | Skipped], manifest: Manifest
) -> dict[Path, Exception]:
    """Raise what ends the download before it begins. Returns why files have no place, which are then not fetched."""
    existing = next((folder for folder in (dest, *dest.parents) if folder.exists()), None)
    if existing is not None and not existing.is_dir():
        raise NotADirectoryError(f"{options.method}: dest: {existing} is no folder.")
    remove_stale(dest)
    blocked: dict[Path, Exception] = {}
    for item in planned:
        if isinstance(item, Skipped):
            continue
        if options.overwrite is False and os.path.lexists(item.path):
            raise FileExistsError(
                f"{options.method}: {item.path} exists; pass overwrite=True to replace it, "
                "or 'skip' to keep the files of this job."
            )
        try:
            check_place(item.path, dest)
        except (OSError, UnicodeError) as error:
            blocked[item.path] = error
    manifest.read()
    return blocked


def _kept(item: Planned, dest: Path, manifest: Manifest) -> DownloadedArtifact | None:
    """The file that exists, if it is this artifact. Raises if it is another one, or not known to be this one."""
    if check_place(item.path, dest) is None:
        return None
    size = item.path.stat().st_size if item.path.is_file() else None
    known = manifest.known(item.path)
    if known != (item.identity, size):
        manifest.read()  # another download may have recorded it meanwhile
        known = manifest.known(item.path)
    if size is None or known != (item.identity, size):
        what = "is not known to be this artifact" if known is None or known[0] == item.identity else "is another one"
        raise FileExistsError(f"{item.path} exists and {what}; pass overwrite=True to replace it.")
    return DownloadedArtifact(item.artifact, item.path, size, skipped=True)


def _concerns_all(error: Exception) -> bool:
    """Whether no other file can be downloaded either: the disk is full, or the time for all files has passed."""
    if isinstance(error, RequestTimeoutError):
        return error.retry_stop_reason == "deadline"
    return isinstance(error, OSError) and error.errno in _FULL
