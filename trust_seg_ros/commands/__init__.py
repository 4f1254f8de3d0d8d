"""One module per subcommand of ``trust-seg``: its options, and ``run``."""
