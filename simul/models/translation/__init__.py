"""Text translators that continue a given beginning."""
