"""The drive report: one HTML page that shows a drive without a network connection."""
