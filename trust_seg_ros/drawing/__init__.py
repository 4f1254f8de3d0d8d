"""Pictures for people: overlays, heat maps, lettering, panels."""
