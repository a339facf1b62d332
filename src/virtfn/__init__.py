"""virtfn: see, shape, mirror and prove SR-IOV virtual functions. The library's door is ``virtfn.api.Host``."""

__version__ = "0.1.0"
