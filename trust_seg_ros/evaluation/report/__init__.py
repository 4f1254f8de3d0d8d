"""Tables, figures and pages used by every study."""
