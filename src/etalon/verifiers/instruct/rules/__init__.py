"""The rules of IFEval and IFBench; `registry` has them by id."""
