"""virtfn: see, shape, mirror and prove SR-IOV virtual functions. The library is ``virtfn.api``."""

__version__ = "0.1.0"
