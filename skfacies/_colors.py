"""Colors of facies, the same in every picture of the package."""

__all__ = ["facies_colors"]

# Mostly Paul Tol's colors, chosen and ordered by a search for large distances in Oklab over
# mid-gray amplitudes, for normal vision and for simulated protanopia and deuteranopia (Machado et
# al., 2009): any two of the first ten are at least 0.05 apart, and neighbors in the list, which
# touch on a section, at least 0.10. Petroff's ten colors, scikit-learn's choice, reach 0.03 and
# 0.07; their grays vanish on a seismic section.
FACIES_COLORS = (
    *("#EE8866", "#882255", "#EEDD88", "#0077BB", "#44BB99"),
    *("#117733", "#99DDFF", "#332288", "#AAAA00", "#EE3377"),
    *("#0000CC", "#BB55FF", "#FF0000", "#33BBEE", "#BBCC33"),
    *("#00FFCC", "#662211", "#D55E00", "#F0E442", "#AA4499"),
)


def facies_colors(n_classes):
    """Colors of `n_classes` facies by position: a fixed list, repeated after 20."""
    return [FACIES_COLORS[i % len(FACIES_COLORS)] for i in range(n_classes)]
