"""Studies: a recipe with what differs and seeds, run as one, paired by seed and problem, told with intervals."""
