"""The same plan on many machines, with Dask distributed (extra ``cluster``)."""

from roadlift.cluster.dask import ON_ERROR, DaskCluster

__all__ = ["ON_ERROR", "DaskCluster"]
