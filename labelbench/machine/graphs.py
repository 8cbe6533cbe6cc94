"""What threads that use one GPU must not do at the same time."""

from __future__ import annotations

import threading

# Held while a CUDA graph is captured: torch captures one at a time, and waits for the whole device before it does.
CAPTURING = threading.RLock()
