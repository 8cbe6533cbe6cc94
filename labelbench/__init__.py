"""labelbench: what happens to an image classifier when the label it learns to output changes.

This module is what plugins, scripts and notebooks import, and nothing else. Names are loaded when they are first
used, so that importing it loads neither torch nor any other heavy library.
"""

from lazy_loader import attach_stub

__version__ = "0.1.0"
# Names and their homes stand in ``__init__.pyi``.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
