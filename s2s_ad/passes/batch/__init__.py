"""Many directions through one sweep: `batch` gives what depends on a seed a leading axis."""

from s2s_ad.passes.batch.traversal import Along, batch

__all__ = ["Along", "batch"]
