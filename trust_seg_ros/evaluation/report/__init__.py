"""Tables, figures and pages that every study writes."""
