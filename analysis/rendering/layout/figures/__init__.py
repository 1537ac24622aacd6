"""Summary → charts, one module each. What a chart can't show it says in its notes."""
