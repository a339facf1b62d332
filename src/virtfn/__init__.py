"""virtfn: see, shape, mirror and prove SR-IOV virtual functions. The library's doors are in ``virtfn.api``."""

__version__ = "0.1.0"
