"""virtfn: see, shape, mirror and prove SR-IOV virtual functions."""

__version__ = "0.1.0"
