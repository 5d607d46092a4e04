"""States of package sets as the API shows them."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel

from eclair.models.package_set import (
    InstallProgress,
    InstallStage,
    InstallState,
    PackageInstallation,
    download_share,
)


class InstallFault(BaseModel):
    code: str
    message: str


class InstallReport(BaseModel):
    """State of a set of packages. `size` is about the bytes that it takes; `download` are those that come over the net.

    `share` of the installation is done, 0 to 1; `error` says why the last one failed.
    """

    state: InstallState
    size: int
    download: int
    stage: InstallStage | None
    share: float
    error: InstallFault | None

    @classmethod
    def from_installation(
        cls, installation: PackageInstallation, share: Callable[[InstallProgress], float] = download_share
    ) -> InstallReport:
        """Describe an installation; `share` says how much of it is done. It reads the disk."""
        status = installation.status()
        progress, error = status.progress, status.error
        return cls(
            state=status.state,
            size=status.size,
            download=installation.packages.download_bytes,
            stage=progress.stage if progress is not None else None,
            share=share(progress) if progress is not None else 0.0,
            error=InstallFault(code=error.code, message=error.message) if error is not None else None,
        )


class FreedSpace(BaseModel):
    """Bytes that were freed."""

    freed: int
