"""Etalon: the open Spectrum-to-Signal pipeline. Train, test and serve small models that reason."""

__version__ = "0.1.0"
