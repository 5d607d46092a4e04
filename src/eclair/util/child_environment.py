"""The environment that child processes get: an allow-list, so that keys and tokens stay in the server.

The variables of Éclair, of hubs and of engines' providers hold secrets, and nobody knows those of other programs.
"""

from __future__ import annotations

import os

ALLOWED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP", "SYSTEMROOT"),
        *("VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    }
)
ALLOWED_PREFIXES = (
    *("LC_", "XDG_", "PYTHON", "MALLOC_"),
    *("CUDA_", "NVIDIA_", "HIP_", "ROCR_", "ROCM_", "HSA_", "GPU_", "VK_", "SYCL_", "ONEAPI_", "ZE_"),
    *("OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "GGML_", "LLAMA_", "PYTORCH_", "TORCH_", "ORT_"),
)
"""Variables of the language, of libraries that compute, and of accelerators."""

PIP_PREFIXES = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "NETRC")
"""Variables for pip: its settings and proxies, which may hold passwords of their own."""

EDITOR_PREFIXES = (
    *("TERM", "COLOR", "LINES", "COLUMNS", "SHELL", "INPUTRC", "DISPLAY", "WAYLAND_", "DBUS_", "SSH_AUTH_SOCK"),
    *("EDITOR", "VISUAL", "VIM", "MYVIMRC", "NVIM", "EMACS", "ALTERNATE_EDITOR", "NANO", "VSCODE_", "__CF"),
)
"""Variables for the editor of whoever sits at the terminal: where it is shown, and its own settings."""

COMPILER_PREFIXES = ("CC", "CXX", "CFLAGS", "CPPFLAGS", "LDFLAGS", "CMAKE_", "SDKROOT", "MACOSX_DEPLOYMENT_TARGET")


NO_TELEMETRY = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
"""Keeps libraries from sending statistics: onnxruntime does since 1.32 unless it is told not to."""


def child_environment(*prefixes: str, **variables: str) -> dict[str, str]:
    """Return this process's allowed variables, those with further `prefixes` in any case, and `variables`.

    Telemetry of libraries is switched off.
    """
    allowed = (*ALLOWED_PREFIXES, *prefixes)
    own = {name: value for name, value in os.environ.items() if name in ALLOWED or name.upper().startswith(allowed)}
    return own | NO_TELEMETRY | variables
