"""The study of time: tracks, flicker, false alarms and delay over drives."""
