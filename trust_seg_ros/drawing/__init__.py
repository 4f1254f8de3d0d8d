"""Pictures for viewing: overlays, heat maps, lettering, panels."""
